import type { Node } from '../generated/page-bindings.js'
import type { Instance } from '../native/instance.ts'
import type { NativeConsumer } from '../native/types.ts'
import { fromNative, KafkaJSError } from './errors.ts'
import type { Held } from './held.ts'
import { turn } from './turns.ts'

type Reject = (error: KafkaJSError) => void

/** What is called with a node, and with what is counted of its log where that is in memory. */
export type Work<T> = (node: Node, held?: Held) => T | Promise<T>

/** A node that runs, in its instance of the wasm. Where that traps, everything that waits for it fails. */
export class RunningNode {
  private completing: Promise<void> | undefined
  private readonly underWay = new Set<Reject>()
  /** What consumers wait for. */
  private readonly reading = new Set<Reject>()
  private left: KafkaJSError | undefined
  private closed = false
  private readonly unlisten: () => void
  /** `undefined` once it is closed and has answered everything. */
  private node: Node | undefined

  constructor(
    node: Node,
    private readonly instance: Instance,
    lost: (reason: string) => void,
    /** What is counted of the log, where it is in memory. */
    readonly held?: Held,
  ) {
    this.node = node
    this.unlisten = instance.onPoison((reason) => {
      lost(reason)
      const waiting = [...this.underWay, ...this.reading]
      this.underWay.clear()
      this.reading.clear()
      for (const reject of waiting) reject(panicked(reason))
    })
  }

  /** Why the instance trapped, if it did: nobody may call into it any more. */
  get poisoned(): string | undefined {
    return this.instance.poisoned
  }

  /** The node itself, for another one of the same instance. */
  get native(): Node {
    if (this.node === undefined) throw closed()
    return this.node
  }

  /** Where its log is. */
  get storage(): string {
    return this.native.storage()
  }

  /** The log goes on elsewhere: its consumers fail, and so come along. What was sent still waits for its answer. */
  leave(reason: KafkaJSError): void {
    this.left = reason
    const reading = [...this.reading]
    this.reading.clear()
    for (const reject of reading) reject(reason)
  }

  /** The log is here again. */
  stay(): void {
    this.left = undefined
  }

  /** Calls the node for a consumer. */
  read<T>(work: (node: Node) => T | Promise<T>): Promise<T> {
    return this.left === undefined ? this.run(work, this.reading) : Promise.reject(this.left)
  }

  /** Resolves when it can do more than append. */
  complete(): Promise<void> {
    this.completing ??= this.load().catch((error: unknown) => {
      this.completing = undefined
      throw fromNative(error)
    })
    return this.completing
  }

  private async load(): Promise<void> {
    if (this.instance.whole) return
    await this.instance.complete()
    this.tell((node) => node.complete())
  }

  /**
   * Closes the node. The instance lives on and holds what this node told its events to, which is this: unless both are let
   * go of, neither is ever collected.
   */
  close(): void {
    this.closed = true
    this.tell((node) => node.close())
    this.forget()
  }

  private forget(): void {
    if (!this.closed || this.underWay.size + this.reading.size > 0) return
    this.unlisten()
    this.node = undefined
  }

  /** Calls the node. */
  run<T>(work: Work<T>, underWay: Set<Reject> = this.underWay): Promise<T> {
    return new Promise((resolve, reject) => {
      const { poisoned } = this.instance
      if (poisoned !== undefined) return reject(panicked(poisoned))
      underWay.add(reject)
      const done = (value: T) => {
        underWay.delete(reject)
        this.forget()
        // Memory answers at once, where a storage has let the page do something else meanwhile.
        const others = this.held && turn()
        if (others === undefined) resolve(value)
        else others.then(() => resolve(value))
      }
      const failed = (error: unknown) => {
        underWay.delete(reject)
        this.forget()
        reject(this.failure(error))
      }
      try {
        Promise.resolve(work(this.native, this.held)).then(done, failed)
      } catch (error) {
        failed(error)
      }
    })
  }

  /** Tells the node something; nobody waits for it, so nobody hears of a failure. */
  tell(work: (node: Node) => void): void {
    if (this.instance.poisoned !== undefined || this.node === undefined) return
    try {
      work(this.node)
    } catch (error) {
      this.failure(error)
    }
  }

  private failure(error: unknown): KafkaJSError {
    const { poisoned } = this.instance
    return poisoned === undefined ? fromNative(error) : panicked(poisoned)
  }
}

/** A consumer of the wasm, with the node that it belongs to. */
export class Member {
  private freed = false

  constructor(
    private readonly running: RunningNode,
    private readonly native: NativeConsumer,
  ) {}

  run<T>(work: (native: NativeConsumer) => T | Promise<T>): Promise<T> {
    return this.freed ? Promise.reject(closed()) : this.running.read(() => work(this.native))
  }

  tell(work: (native: NativeConsumer) => void): void {
    if (!this.freed) this.running.tell(() => work(this.native))
  }

  /** Nobody calls into it any more, which would trap. */
  free(): void {
    this.tell((native) => native.free())
    this.freed = true
  }

  /** What it answers at once; `undefined` where it cannot answer any more. */
  ask<T>(work: (native: NativeConsumer) => T): T | undefined {
    let answer: T | undefined
    this.tell((native) => {
      answer = work(native)
    })
    return answer
  }
}

function closed(): KafkaJSError {
  return new KafkaJSError('The log was closed', { retriable: false, kind: 'Closed' })
}

/** The error of everything that waited for an instance that trapped. */
export function panicked(reason: string): KafkaJSError {
  const message = `headwater stopped by a defect, and opens the log again at the next call: ${reason}`
  return new KafkaJSError(message, { retriable: true, kind: 'Internal', type: 'PANIC' })
}

/** The error of consumers whose log goes on elsewhere; they join again there. */
export function moved(message: string): KafkaJSError {
  return new KafkaJSError(message, { retriable: true, kind: 'Unavailable', type: 'STORAGE_MOVED' })
}
