import type { Node } from '../generated/page-bindings.js'
import { type Instance, instance } from '../native/instance.ts'
import type {
  ConsumerOptions,
  Delivery,
  Host,
  NativeConsumer,
  NodeEvent,
  OpenOptions,
  WireBatch,
} from '../native/types.ts'
import type { Assigners, AssignmentSpec } from './assigners.ts'
import { codecOf } from './compression.ts'
import { fromNative, KafkaJSError } from './errors.ts'
import { Fallback } from './fallback.ts'
import type { Held } from './held.ts'
import { late } from './loading.ts'
import { type PageChange, watchPage } from './page.ts'
import { Member, panicked, RunningNode, type Work } from './running.ts'
import { Sender } from './sender.ts'

/** Takes batches for a forwarder of the wasm. */
export type Deliver = (batches: WireBatch[], keepalive: boolean) => Promise<Delivery>

/** What the wasm is told of a forwarder. */
export interface ForwardOptions {
  topic: string
  sink: string
  bytesMax: number
  lingerMs: number
  decode: boolean
}

interface Forwarding {
  options: ForwardOptions
  deliver: Deliver
}

/** After so many defects within a minute, the log stays closed until the minute is over. */
const PANICS_MAX = 5
const PANICS_WITHIN_MS = 60_000
const REOPEN_AFTER_MS = 1_000

/**
 * This realm's node of one log, shared by everything that uses the log. It is opened at the first call. Where the
 * wasm traps, the calls under way fail, and the next one opens the log again from storage.
 */
export class NodeHandle implements Host {
  /** What is sent to the log. */
  readonly sender: Sender = new Sender(this)
  /** The assigners of the consumers that are in their groups. */
  assigners: [groupId: string, own: Assigners][] = []
  private running: RunningNode | undefined
  private opening: Promise<RunningNode> | undefined
  private readonly listeners = new Set<(event: NodeEvent) => void>()
  private readonly forwardings = new Map<number, Forwarding>()
  /** Which forwarders each node has started. */
  private readonly forwarded = new WeakMap<RunningNode, Set<number>>()
  private readonly fallback = new Fallback({
    openMemory: () => this.openBeside({ name: `${this.options.name}#away`, storage: 'memory' }),
    openStored: () => this.openBeside(this.options),
    use: (node) => this.use(node),
    event: (event) => this.event(event),
  })
  private forwarders = 0
  private panics: number[] = []
  private degraded: NodeEvent | undefined
  private unwatch: (() => void) | undefined
  /** A closed node whose log is in memory, kept because the log lives no longer than it. */
  private kept: Node[] = []
  /** What is counted of the log in memory, if there ever was one. */
  private held: Held | undefined

  constructor(private readonly options: OpenOptions) {}

  /** Calls the node; opens it where it is not, and loads all of it. */
  async call<T>(work: Work<T>): Promise<T> {
    return (await this.complete()).run(work)
  }

  /** Calls what the core of the node can do, which is to append; `work` runs at once where the node is open. */
  async callCore<T>(work: Work<T>): Promise<T> {
    return (this.running ?? (await this.open())).run(work)
  }

  /** Resolves when everything that was sent before survives a power cut. */
  async flush(): Promise<void> {
    this.sender.handOver()
    await this.callCore((node) => node.flush())
  }

  /** Tells the node something, if it is open. */
  tell(work: (node: Node) => void): void {
    this.running?.tell(work)
  }

  /** A consumer of the group. */
  async member(groupId: string, options: ConsumerOptions): Promise<Member> {
    const running = await this.complete()
    return new Member(running, await running.run((node) => node.consumer(groupId, options) as NativeConsumer))
  }

  /** Hears of what the node reports, and first of a storage that failed before. */
  onEvent(listener: (event: NodeEvent) => void): () => void {
    this.listeners.add(listener)
    if (this.degraded !== undefined) listener(this.degraded)
    return () => this.listeners.delete(listener)
  }

  /** Forwards a topic; the number names the forwarder. */
  async forward(options: ForwardOptions, deliver: Deliver): Promise<number> {
    this.forwarders += 1
    const id = this.forwarders
    const running = await this.complete()
    this.forwardings.set(id, { options, deliver })
    this.startedOn(running).add(id)
    await running
      .run((node) => node.forward(id, options))
      .catch((error: unknown) => {
        this.forwardings.delete(id)
        this.startedOn(running).delete(id)
        throw error
      })
    return id
  }

  async stopForward(id: number): Promise<void> {
    if (!this.forwardings.delete(id)) return
    const nodes = this.fallback.others(this.running).concat(this.running ?? [])
    await Promise.all(nodes.map((each) => each.run((node) => node.stopForward(id))))
  }

  close(): void {
    this.unwatch?.()
    this.unwatch = undefined
    this.forwardings.clear()
    // What is in memory alone waits for the storage, whoever uses the log.
    if (this.fallback.active) return
    this.fallback.close()
    this.running?.tell((node) => {
      if (node.storage() === 'memory') this.kept.push(node)
    })
    this.running?.close()
    this.running = undefined
    this.opening = undefined
  }

  /** For the wasm: something happened. */
  event(event: NodeEvent): void {
    // It is back when what memory took is stored, and not before.
    if (event.type === 'storage.recovered' && this.fallback.active) return
    if (event.type === 'storage.degraded') this.degraded = event
    if (event.type === 'storage.recovered') {
      this.degraded = undefined
      this.held?.stored(new Set([...this.forwardings.values()].map(({ options }) => options.topic)))
    }
    if (event.type === 'storage.degraded' && this.running?.storage === 'indexeddb') {
      void this.fallback.leave(this.running)
    }
    if (event.type === 'log.incomplete') {
      this.complete().catch(() => this.tell((node) => node.incomplete()))
      return
    }
    for (const listener of [...this.listeners]) listener(event)
  }

  /** For the wasm: batches for a sink. */
  async deliver(forwarder: number, batches: WireBatch[], keepalive: boolean): Promise<Delivery> {
    const forwarding = this.forwardings.get(forwarder)
    if (forwarding === undefined) throw new Error('the forwarder was stopped')
    return forwarding.deliver(batches, keepalive)
  }

  /** For the wasm: shares partitions by an assigner of JavaScript. */
  async assign(groupId: string, name: string, spec: AssignmentSpec): ReturnType<Assigners['assign']> {
    const found = this.assigners.find(([group, own]) => group === groupId && own.names.includes(name))
    if (found === undefined)
      throw new Error(`no consumer of ${groupId} in this page has the assigner ${name}`)
    return found[1].assign(name, spec)
  }

  /** For the wasm: compresses what is to be stored, or decompresses what was. */
  async recode(compression: number, bytes: Uint8Array, compress: boolean): Promise<Uint8Array> {
    const codec = codecOf(compression)
    if (codec === undefined) return bytes
    const recoded = await (compress ? codec.compress({ buffer: bytes }) : codec.decompress(bytes))
    // They would be stored, and never be read again. A codec of another realm may answer bytes of its own.
    if (!ArrayBuffer.isView(recoded) || recoded.byteLength === 0) throw new Error('a codec answers bytes')
    return new Uint8Array(recoded)
  }

  private async complete(): Promise<RunningNode> {
    const running = await this.open()
    await running.complete()
    return running
  }

  private open(): Promise<RunningNode> {
    if (this.opening === undefined) {
      const since = Date.now() - PANICS_WITHIN_MS
      this.panics = this.panics.filter((at) => at > since)
      if (this.panics.length >= PANICS_MAX) return Promise.reject(panicked('it happens again and again'))
      const opening = this.start(() => this.opening === opening)
      this.opening = opening
      opening.catch(() => {
        if (this.opening === opening) this.opening = undefined
      })
    }
    return this.opening
  }

  private async start(wanted: () => boolean): Promise<RunningNode> {
    const running = await instance().catch((error: unknown) => {
      throw fromNative(error)
    })
    try {
      const { node, held } = await this.openNode(this.options, running, (event) => this.event(event))
      if (!wanted()) {
        node.close()
        throw new KafkaJSError('The log was closed while it was being opened', {
          retriable: false,
          kind: 'Closed',
        })
      }
      const started: RunningNode = new RunningNode(
        node,
        running,
        (reason) => this.lost(started, reason),
        held,
      )
      this.kept = []
      this.unwatch ??= watchPage((change) => this.pageChanged(change))
      this.running = started
      this.startForwarders(started)
      if (started.storage === 'memory' && this.options.storage === 'indexeddb') this.fallback.begin(started)
      return started
    } catch (error) {
      if (running.poisoned === undefined) throw fromNative(error)
      this.panics.push(Date.now())
      throw panicked(running.poisoned)
    }
  }

  /** Calls go to this node from now on, and its forwarders with them. */
  private use(node: RunningNode): void {
    this.running = node
    this.opening = Promise.resolve(node)
    this.startForwarders(node)
  }

  private startForwarders(node: RunningNode): void {
    const started = this.startedOn(node)
    for (const [id, { options }] of this.forwardings) {
      if (started.has(id)) continue
      started.add(id)
      this.forwardAgain(node, id, options)
    }
  }

  private startedOn(node: RunningNode): Set<number> {
    const started = this.forwarded.get(node) ?? new Set()
    this.forwarded.set(node, started)
    return started
  }

  private pageChanged(change: PageChange): void {
    // First those who have something to store.
    this.event({ type: `page.${change}` })
    this.tell((open) => open[change]())
    for (const node of this.fallback.others(this.running)) node.tell((open) => open[change]())
    if (change === 'visible' || change === 'resume') void this.fallback.probe()
  }

  /** Opens another log in the same instance; `undefined` where a stored one can only be had in memory. */
  private async openBeside(options: OpenOptions): Promise<RunningNode | undefined> {
    const running = await instance()
    // What it says of its storage is known already.
    const { node, held } = await this.openNode(options, running, (event) => {
      if (event.type !== 'storage.degraded') this.event(event)
    })
    if (node.storage() !== options.storage) {
      node.close()
      return undefined
    }
    const opened: RunningNode = new RunningNode(node, running, (reason) => this.lost(opened, reason), held)
    return opened
  }

  /** Opens a node, which asks this for all but its events; those of a log in memory are counted. */
  private async openNode(
    options: OpenOptions,
    running: Instance,
    heard: (event: NodeEvent) => void,
  ): Promise<{ node: Node; held: Held | undefined }> {
    let held: Held | undefined
    const host = Object.create(this) as NodeHandle
    host.event = (event) => {
      held?.heard(event)
      heard(event)
    }
    const node = await running.glue.Node.open({ ...options, complete: running.whole }, host)
    if (node.storage() === 'memory') {
      // Without it, there is a log all the same.
      const loaded = await late().catch(() => undefined)
      held = this.held ??= loaded && new loaded.Held()
    }
    return { node, held }
  }

  private forwardAgain(started: RunningNode, id: number, options: ForwardOptions): void {
    started
      .complete()
      .then(() => started.run((node) => node.forward(id, options)))
      .catch((error: unknown) => {
        const { message, type: code } = fromNative(error)
        this.event({
          type: 'forwarder.stuck',
          forwarder: id,
          topic: options.topic,
          partition: -1,
          code,
          message,
        })
      })
  }

  private lost(running: RunningNode, reason: string): void {
    if (this.running !== running) {
      // What was kept is gone, and nobody uses it.
      if (this.running === undefined) this.held?.take()
      return
    }
    this.fallback.close()
    this.running = undefined
    this.opening = undefined
    this.panics.push(Date.now())
    this.event({ type: 'panic', message: reason, lost: this.held?.take() ?? [] })
    this.reopen()
  }

  /** Forwarders go on by themselves, without anybody's call. */
  private reopen(): void {
    setTimeout(() => {
      if (this.forwardings.size > 0) this.open().catch(() => this.reopen())
    }, REOPEN_AFTER_MS)
  }
}

const handles = new Map<string, { handle: NodeHandle; users: number }>()

/** This realm's handle of a log; every use is given back with {@link release}. */
export function use(options: OpenOptions): NodeHandle {
  const key = `${options.storage}/${options.name}`
  const known = handles.get(key) ?? { handle: new NodeHandle(options), users: 0 }
  handles.set(key, known)
  known.users += 1
  return known.handle
}

/** Gives a handle back. With the last one the node closes; a log in memory stays, as long as the realm does. */
export function release(options: OpenOptions): void {
  const known = handles.get(`${options.storage}/${options.name}`)
  if (known === undefined) return
  known.users -= 1
  if (known.users === 0) known.handle.close()
}
