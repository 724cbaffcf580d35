import type { Glue } from '../generated/collector-glue.js'
import type { Settings } from './options.ts'
import { letterOf, type NativeBatch, type NativeLetter, recordsOf } from './sink.ts'
import type { Change, Row, Scan, Store } from './store.ts'

/** The rules in their wasm. */
export type Native = ReturnType<Glue['Collector']['openSink']>

/** Makes an instance of the wasm; a trapped one is never called again. */
export type Instantiate = () => Promise<Glue>

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
    const started = this.start()
    const running = await started
    try {
      return await Promise.race([ask(running.native), running.failed])
    } catch (error) {
      if (this.running === started) {
        this.running = undefined
        this.settings.onError(error)
      }
      running.fail(error)
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
    const glue = await this.instantiate()
    const { settings } = this
    const store = settings.sink === undefined ? await this.openedStore() : undefined
    this.gate = new Gate(store, settings.onError)
    let fail: Running['fail'] = () => undefined
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    // It may fail when nobody is asking anything.
    failed.catch(() => undefined)
    glue.onPanic((message: string) => fail(new Error(`the collector's wasm trapped: ${message}`)))
    const native = await Promise.race([openNative(glue, settings, this.gate), failed])
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

interface Running {
  readonly native: Native
  /** Rejects when the instance is given up: what it was asked will never be answered. */
  readonly failed: Promise<never>
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
