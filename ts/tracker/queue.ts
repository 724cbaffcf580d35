import { fromNative, type KafkaJSError } from '../kafka/errors.ts'
import type { Producer } from '../kafka/producer.ts'
import type { Place } from '../kafka/sender.ts'

/** A message on its way into the log. */
export interface Entry {
  messageId: string
  /** Its partition follows from it. */
  key: string
  /** The message as JSON: what becomes of its parts later is not what was tracked. */
  json: string
  timestamp: number
}

/** A message in the log. */
export interface StoredMessage {
  messageId: string
  partition: number
  offset: string
}

/** What the queue tells of its messages. */
export interface QueueListener {
  stored(messages: StoredMessage[]): void
  /** So many messages are lost, and this is why. */
  dropped(count: number, error: Error): void
}

/** What may wait while the log cannot take it. */
const MESSAGES_MAX = 100_000
const CHARACTERS_MAX = 64 << 20
/** A wave is cut at this length. */
const WAVE_CHARACTERS = 1 << 20
const RETRY_MS_MIN = 200
const RETRY_MS_MAX = 30_000
/** In the log it survives the tab and the browser; `flush()` makes it survive a power cut. */
const ACKS = 1

/** Messages that go into the log together. */
class Wave {
  readonly entries: Entry[] = []
  characters = 0
  taken = false
  readonly settled: Promise<void>
  settle: (failure: Error | undefined) => void = () => undefined

  constructor() {
    this.settled = new Promise((resolve, reject) => {
      this.settle = (failure) => (failure === undefined ? resolve() : reject(failure))
    })
    // A failure is told by `dropped`; only a flush waits for it here.
    this.settled.catch(() => undefined)
  }
}

/**
 * Messages on their way into the log. They wait for the log to open, and for the wave before them, but never for a
 * timer: a page may not live to see one.
 */
export class Queue {
  private readonly waves = new Set<Wave>()
  private open: Wave | undefined
  private count = 0
  private characters = 0
  private scheduled = false
  private working = false

  constructor(
    private readonly producer: Promise<Producer>,
    private readonly topic: string,
    private readonly listener: QueueListener,
  ) {}

  add(entry: Entry): void {
    const { length } = entry.json
    if (this.count >= MESSAGES_MAX || this.characters + length > CHARACTERS_MAX) {
      this.listener.dropped(1, new Error(`${this.count} messages wait for the log already`))
      return
    }
    this.count += 1
    this.characters += length
    const wave = this.wave()
    wave.entries.push(entry)
    wave.characters += length
    if (this.scheduled) return
    this.scheduled = true
    // After the task that tracks, so that its events share one append, and before anything else of the page.
    queueMicrotask(() => {
      this.scheduled = false
      void this.work()
    })
  }

  /** Resolves when everything that was added before is in the log; rejects where some of it was dropped. */
  async flush(): Promise<void> {
    await Promise.all([...this.waves].map(({ settled }) => settled))
  }

  /** Hands everything over at once, in turn or not: the page may be gone at any moment. */
  handOver(): void {
    for (const wave of this.waves) if (!wave.taken) void this.send(wave)
  }

  private wave(): Wave {
    if (this.open === undefined || this.open.taken || this.open.characters >= WAVE_CHARACTERS) {
      this.open = new Wave()
      this.waves.add(this.open)
    }
    return this.open
  }

  private async work(): Promise<void> {
    if (this.working) return
    this.working = true
    for (const wave of this.waves) if (!wave.taken) await this.send(wave)
    this.working = false
  }

  /** Never rejects. */
  private async send(wave: Wave): Promise<void> {
    wave.taken = true
    const byKey = new Map<string, Entry[]>()
    for (const entry of wave.entries) {
      const same = byKey.get(entry.key)
      if (same === undefined) byKey.set(entry.key, [entry])
      else same.push(entry)
    }
    const failures = await Promise.all([...byKey.values()].map((entries) => this.append(entries)))
    this.count -= wave.entries.length
    this.characters -= wave.characters
    this.waves.delete(wave)
    wave.settle(failures.find((failure) => failure !== undefined))
  }

  /** Appends messages of one key, and so of one partition; answers why some of them were lost, if they were. */
  private async append(entries: Entry[]): Promise<Error | undefined> {
    const messages = entries.map(({ key, json, timestamp }) => ({ key, value: json, timestamp }))
    for (let wait = RETRY_MS_MIN; ; wait = Math.min(wait * 2, RETRY_MS_MAX)) {
      try {
        const producer = await this.producer
        this.listener.stored(placed(entries, await producer.append(this.topic, messages, ACKS)))
        return undefined
      } catch (thrown) {
        const error = fromNative(thrown)
        if (!error.retriable) return this.refused(entries, error)
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    }
  }

  /** The log refuses them for good. One may be the cause, such as one that is too large: the others go without it. */
  private async refused(entries: Entry[], error: KafkaJSError): Promise<Error | undefined> {
    if (entries.length === 1 || error.type !== 'MESSAGE_TOO_LARGE') {
      this.listener.dropped(entries.length, error)
      return error
    }
    const half = entries.length >> 1
    const first = await this.append(entries.slice(0, half))
    const second = await this.append(entries.slice(half))
    return first ?? second
  }
}

/** Where each message is: the places follow one another as the messages do. */
function placed(entries: Entry[], places: Place[]): StoredMessage[] {
  let next = 0
  return places.flatMap(({ partition, baseOffset, count }) =>
    Array.from({ length: count }, (_, index) => ({
      messageId: entries[next++]?.messageId ?? '',
      partition,
      offset: String(baseOffset + BigInt(index)),
    })),
  )
}
