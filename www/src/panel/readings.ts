/** An event of this tab on its way, as far as the tracker has told. */
export interface Entry {
  readonly id: string
  readonly title: string
  readonly detail: string
  /** Where it stands in the log; not there before its append has committed. */
  place?: { readonly partition: number; readonly offset: bigint }
}

export type Stage = 'recorded' | 'stored' | 'delivered'

/** One partition of the log, read from the log. `committed` is the first offset that is not delivered. */
export interface Position {
  readonly partition: number
  readonly start: bigint
  readonly end: bigint
  readonly committed: bigint
}

/** A failed attempt to deliver, and when the forwarder tries again. */
export interface Setback {
  readonly message: string
  readonly attempts: number
  readonly retryAt: number
}

/** What the readings are taken from; see `source.ts`. */
export interface Source {
  readonly topic: string
  positions(): Promise<Position[]>
  listen(listener: SourceListener): void
}

export interface SourceListener {
  recorded(entry: Entry): void
  stored(places: { id: string; partition: number; offset: bigint }[]): void
  delivered(): void
  setback(setback: Setback): void
  /** Something that does not pass by itself. */
  trouble(message: string): void
}

const KEPT = 400
const READ_EVERY_MS = 1000
const READ_AGAIN_MS = 120

/**
 * What the panel shows. Nothing in it is reckoned: this tab's events are counted as the tracker tells of them,
 * everything about the log is read from the log, which all tabs share.
 */
export class Readings {
  recorded = 0
  storedHere = 0
  positions: readonly Position[] = []
  setback: Setback | undefined
  trouble: string | undefined
  failure: string | undefined
  private readonly entries = new Map<string, Entry>()
  private readonly listeners = new Set<() => void>()
  private reading = false
  private stale = false
  private again: ReturnType<typeof setTimeout> | undefined

  constructor(readonly source: Source) {
    source.listen({
      recorded: (entry) => this.record(entry),
      stored: (places) => this.store(places),
      delivered: () => {
        this.setback = undefined
        this.readSoon()
      },
      setback: (setback) => {
        this.setback = setback
        this.changed()
      },
      trouble: (message) => {
        this.trouble = message
        this.changed()
      },
    })
    setInterval(() => {
      if (document.visibilityState === 'visible') void this.read()
    }, READ_EVERY_MS)
    void this.read()
  }

  /** How many records the log has taken, from all tabs. */
  get stored(): bigint {
    return this.positions.reduce((sum, { end }) => sum + end, 0n)
  }

  get delivered(): bigint {
    return this.positions.reduce((sum, { committed }) => sum + committed, 0n)
  }

  get waiting(): bigint {
    return this.stored - this.delivered
  }

  /** The last events of this tab, the newest first. */
  recent(most: number): Entry[] {
    return [...this.entries.values()].slice(-most).reverse()
  }

  stage({ place }: Entry): Stage {
    if (place === undefined) return 'recorded'
    const position = this.positions.find(({ partition }) => partition === place.partition)
    return position !== undefined && place.offset < position.committed ? 'delivered' : 'stored'
  }

  onChange(listener: () => void): void {
    this.listeners.add(listener)
  }

  private record(entry: Entry): void {
    this.recorded += 1
    this.entries.set(entry.id, entry)
    for (const id of this.entries.keys()) {
      if (this.entries.size <= KEPT) break
      this.entries.delete(id)
    }
    this.changed()
  }

  private store(places: { id: string; partition: number; offset: bigint }[]): void {
    this.storedHere += places.length
    for (const { id, partition, offset } of places) {
      const entry = this.entries.get(id)
      if (entry !== undefined) entry.place = { partition, offset }
    }
    this.readSoon()
  }

  private readSoon(): void {
    this.changed()
    this.again ??= setTimeout(() => {
      this.again = undefined
      void this.read()
    }, READ_AGAIN_MS)
  }

  private async read(): Promise<void> {
    this.stale = true
    if (this.reading) return
    this.reading = true
    const before = this.delivered
    try {
      while (this.stale) {
        this.stale = false
        this.positions = await this.source.positions()
      }
      this.failure = undefined
      // Another tab may deliver what this one could not.
      if (this.waiting === 0n || this.delivered > before) this.setback = undefined
    } catch (error) {
      this.failure = error instanceof Error ? error.message : String(error)
    } finally {
      this.reading = false
    }
    this.changed()
  }

  private changed(): void {
    for (const listener of this.listeners) listener()
  }
}
