import type { Glue } from '../generated/collector-glue.js'
import type { Settings } from './options.ts'
import { letterOf, type NativeBatch, type NativeLetter, recordsOf } from './sink.ts'
import type { Change, Row, Scan, Store } from './store.ts'

/** The rules in their wasm. */
export type Native = ReturnType<Glue['Collector']['openSink']>

/** Makes an instance of the wasm, which says so when it traps; a trapped one is never called again. */
export type Instantiate = (trapped: (reason: unknown) => void) => Promise<Glue>

/** What the rules answer, in HTTP's terms. */
export interface Reply {
  status: number
  body: string
  retryAfterMs?: number
}

const RANDOM_BYTES = 40

/**
 * Runs the rules. Where their wasm traps, which a defect alone can do, the requests under way fail, and the next one
 * gets a new instance that reads its state from the store: nothing was acknowledged that is not there.
 */
export class Engine {
  private running: Promise<Running> | undefined
  private store: Promise<Store> | undefined
  private gate: Gate | undefined
  private readonly asking = new Set<Promise<Reply>>()
  private closed = false

  constructor(
    private readonly settings: Settings,
    private readonly instantiate: Instantiate,
    private readonly openStore: () => Promise<Store>,
  ) {}

  /** Asks the rules something. */
  call(ask: (native: Native) => Promise<Reply>): Promise<Reply> {
    const asked = this.ask(ask)
    this.asking.add(asked)
    const done = () => this.asking.delete(asked)
    asked.then(done, done)
    return asked
  }

  private async ask(ask: (native: Native) => Promise<Reply>): Promise<Reply> {
    const { native, failed, fail } = await this.start()
    try {
      return await Promise.race([ask(native), failed])
    } catch (error) {
      fail(error)
      throw error
    }
  }

  /** Waits until the store is open and the rules are running. */
  async ready(): Promise<void> {
    await this.start()
  }

  /** Ends the use of the store, once everything that was asked has been answered. */
  async close(): Promise<void> {
    this.closed = true
    await Promise.allSettled([...this.asking, this.running])
    await this.gate?.shut()
    const store = await this.store?.catch(() => undefined)
    await store?.close()
  }

  private start(): Promise<Running> {
    if (this.closed) return Promise.reject(closed())
    this.running ??= this.open().catch((error: unknown) => {
      this.running = undefined
      this.settings.onError(error)
      throw error
    })
    return this.running
  }

  private async open(): Promise<Running> {
    // Callbacks may still wake the last instance: it must be done with the store before another one begins.
    await this.gate?.shut()
    const { settings } = this
    const store = settings.sink === undefined ? await this.openedStore() : undefined
    const gate = new Gate(store, settings.onError)
    this.gate = gate
    const { promise: failed, reject } = rejection()
    let opened = false
    let alive = true
    const fail = (reason: unknown): void => {
      if (!alive) return
      alive = false
      reject(reason)
      void gate.shut()
      if (!opened) return
      this.running = undefined
      settings.onError(reason)
    }
    const glue = await this.instantiate(fail)
    glue.onPanic((message: string) => fail(new Error(`the collector's wasm trapped: ${message}`)))
    const native = await Promise.race([openNative(glue, settings, gate), failed])
    opened = true
    return { native, failed, fail }
  }

  private openedStore(): Promise<Store> {
    this.store ??= this.openStore().catch((error: unknown) => {
      this.store = undefined
      throw error
    })
    return this.store
  }
}

/** A promise that does nothing but reject, perhaps when nobody waits for it. */
function rejection(): { promise: Promise<never>; reject: (reason: unknown) => void } {
  let reject: (reason: unknown) => void = () => undefined
  const promise = new Promise<never>((_, given) => {
    reject = given
  })
  promise.catch(() => undefined)
  return { promise, reject }
}

interface Running {
  readonly native: Native
  /** Rejects when the instance is given up: what it was asked will never be answered. */
  readonly failed: Promise<never>
  /** Gives the instance up: it does not reach the store any more, and the next question gets another one. */
  readonly fail: (reason: unknown) => void
}

async function openNative(glue: Glue, settings: Settings, gate: Gate): Promise<Native> {
  const { sink, writeKeys, topics, limits, secret, deadLetter } = settings
  const options = {
    writeKeys,
    topics: topics?.map(({ topic, partitions }) => ({ name: topic, partitions })),
    limits,
    keepsLetters: deadLetter !== undefined,
  }
  const random = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES))
  if (sink === undefined) return glue.Collector.openLog(options, secret, random, gate)
  return glue.Collector.openSink(options, secret, random, deliverer(settings))
}

/** Hands what a request brought to the application. */
function deliverer({ sink, deadLetter, onError }: Settings) {
  return async (batches: NativeBatch[], letters: NativeLetter[]): Promise<void> => {
    try {
      if (letters.length > 0) await deadLetter?.(letters.map(letterOf))
      if (batches.length > 0) await sink?.(batches.flatMap(recordsOf))
    } catch (error) {
      onError(error)
      throw error
    }
  }
}

/** One instance's way to the store. Once it is shut, nothing of that instance reaches the store any more. */
class Gate {
  private readonly working = new Set<Promise<unknown>>()
  private isShut = false

  constructor(
    private readonly store: Store | undefined,
    private readonly onError: (error: unknown) => void,
  ) {}

  read(scans: readonly Scan[]): Promise<Row[][]> {
    return this.pass((store) => store.read(scans))
  }

  write(changes: readonly Change[], durable: boolean): Promise<void> {
    return this.pass((store) => store.write(changes, durable))
  }

  /** Lets nothing in, and waits until what is in has come out. */
  async shut(): Promise<void> {
    this.isShut = true
    await Promise.allSettled(this.working)
  }

  private pass<T>(work: (store: Store) => Promise<T>): Promise<T> {
    if (this.isShut || this.store === undefined) return Promise.reject(closed())
    const result = work(this.store)
    this.working.add(result)
    const done = () => this.working.delete(result)
    result.then(done, (error: unknown) => {
      done()
      this.onError(error)
    })
    return result
  }
}

function closed(): Error {
  return new Error('the collector was closed')
}
