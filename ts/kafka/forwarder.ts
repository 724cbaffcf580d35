import type { NodeEvent } from '../native/types.ts'
import type { Sink } from '../native/types.ts'
import { KafkaJSNonRetriableError } from './errors.ts'
import type { Shared } from './kafka.ts'
import type { NodeHandle } from './node.ts'

/** What `kafka.forward` is given. */
export interface ForwardConfig {
  topic: string
  /** Where the records go: `collectorSink`, `httpSink`, `functionSink`, or one of your own. One sink a topic. */
  sink: Sink
  /** How long a batch that is not full may wait for more, in milliseconds. Default 250. */
  lingerMs?: number
  /** The most bytes of a batch. Default 1 MiB less what the envelope takes. */
  bytesMax?: number
}

/** What a forwarder reports. */
export interface ForwarderEvents {
  /** Everything before `committed` has arrived. */
  delivered: { topic: string; partition: number; committed: string }
  /** A request failed; the same bytes go again. */
  backoff: { topic: string; error: { code: string; message: string; retriable: boolean }; attempts: number; retryInMs: number }
  /** Records before `until` may arrive twice, and carry `hw-uncertain`. */
  uncertain: { topic: string; partition: number; until: string }
  /** The collector keeps these records apart: it can never take them. */
  deadLettered: { topic: string; partition: number; first: string; last: string }
  /** A partition cannot be forwarded until somebody has a look. */
  stuck: { topic: string; partition: number; code: string; message: string }
  /** The topic has more partitions here than at the sink. */
  partitionsDiffer: { topic: string; local: number; remote: number }
}

type Listener<Name extends keyof ForwarderEvents> = (event: ForwarderEvents[Name]) => void

/** Delivers one topic, while it is this tab's turn; another tab's forwarder takes over when this one goes. */
export class Forwarder {
  private readonly listeners = new Map<string, Set<(event: never) => void>>()
  private attempts = 0
  private unlisten: () => void
  private id = -1

  private constructor(
    readonly topic: string,
    private readonly connection: { node: NodeHandle; release: () => void },
  ) {
    this.unlisten = connection.node.onEvent((event) => this.heard(event))
  }

  /** @internal */
  static async start(shared: Shared, config: ForwardConfig): Promise<Forwarder> {
    const { topic, sink, lingerMs = 250, bytesMax = 1_000_000 } = config
    if (typeof topic !== 'string' || topic === '') throw new KafkaJSNonRetriableError('Invalid topic')
    if (typeof sink?.deliver !== 'function') {
      throw new KafkaJSNonRetriableError('Invalid sink: use collectorSink, httpSink or functionSink')
    }
    const connection = shared.connect()
    const forwarder = new Forwarder(topic, connection)
    const options = { topic, sink: sink.id, bytesMax, lingerMs, decode: sink.decode ?? false }
    try {
      forwarder.id = await connection.node.forward(options, (batches, keepalive) => sink.deliver(batches, { keepalive }))
    } catch (error) {
      forwarder.unlisten()
      connection.release()
      throw error
    }
    return forwarder
  }

  /** Hears of an event of this forwarder; answers what stops that. */
  on<Name extends keyof ForwarderEvents>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.listeners.get(name) ?? new Set()
    this.listeners.set(name, listeners)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** Does not wait for the rest of a backoff. */
  retryNow(): void {
    this.connection.node.open?.online()
  }

  /** Stops forwarding in this tab. What is not delivered stays in the log. */
  async stop(): Promise<void> {
    this.unlisten()
    await this.connection.node.stopForward(this.id)
    this.connection.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  private heard(event: NodeEvent): void {
    if (!event.type.startsWith('forwarder.') || event['topic'] !== this.topic) return
    const { type, forwarder: _, ...fields } = event
    if (type === 'forwarder.retrying') {
      this.attempts += 1
      const { topic, code, message, retriable, waitMs } = fields
      const error = { code, message, retriable }
      return this.tell('backoff', { topic, error, attempts: this.attempts, retryInMs: waitMs })
    }
    if (type === 'forwarder.delivered') this.attempts = 0
    this.tell(type.slice('forwarder.'.length), fields)
  }

  private tell(name: string, event: unknown): void {
    for (const listener of [...(this.listeners.get(name) ?? [])]) listener(event as never)
  }
}
