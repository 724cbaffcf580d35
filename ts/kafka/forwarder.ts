import type { NodeEvent, Sink } from '../native/types.ts'
import { KafkaJSNonRetriableError } from './errors.ts'
import { Listeners, type RemoveListener } from './events.ts'
import type { Logger } from './logger.ts'
import type { Connection, Shared } from './shared.ts'
import { abortable } from './signal.ts'
import { validateNumbers, validateTopic } from './validate.ts'

/** What `kafka.forward` is given. */
export interface ForwardConfig {
  /** The topic whose records are delivered. It is created where there is none. */
  topic: string
  /** Where the records go: `collectorSink`, `httpSink`, `functionSink`, or one of your own. One sink a topic. */
  sink: Sink
  /** How long a batch that is not full may wait for more, in milliseconds. Default 250. */
  lingerMs?: number
  /** The most bytes of a batch. Default 1,000,000: with its envelope it fits into a megabyte. */
  bytesMax?: number
  /** Stops the forwarder, or ends the wait for it, which then rejects with the signal's reason. */
  signal?: AbortSignal
}

/** What a forwarder reports. */
export interface ForwarderEvents {
  /** Everything before `committed` has arrived. */
  delivered: { topic: string; partition: number; committed: string }
  /** A request failed; the same bytes go again. */
  backoff: {
    topic: string
    error: { code: string; message: string; retriable: boolean }
    /** How often it has failed since something was delivered. */
    attempts: number
    retryInMs: number
  }
  /** Records before `until` may arrive twice, and carry `hw-uncertain`. */
  uncertain: { topic: string; partition: number; until: string }
  /** The collector keeps these records apart: it can never take them. */
  deadLettered: { topic: string; partition: number; first: string; last: string }
  /** A partition, or the whole topic where it is -1, cannot be forwarded until somebody has a look. */
  stuck: { topic: string; partition: number; code: string; message: string }
  /** The topic has more partitions here than at the sink. */
  partitionsDiffer: { topic: string; local: number; remote: number }
}

/** Their names. */
export const FORWARDER_EVENTS = [
  'delivered',
  'backoff',
  'uncertain',
  'deadLettered',
  'stuck',
  'partitionsDiffer',
] as const

const PREFIX = 'forwarder.'

/** Delivers one topic, while it is this tab's turn; another tab's forwarder takes over when this one goes. */
export class Forwarder {
  private readonly log: Logger
  private readonly listeners: Listeners<ForwarderEvents>
  private readonly stopped = new AbortController()
  private attempts = 0
  /** The refusal that was logged last. */
  private told: unknown
  private id = -1
  private unlisten: () => void

  private constructor(
    readonly topic: string,
    shared: Shared,
    private readonly connection: Connection,
  ) {
    this.log = shared.logger.namespace('Forwarder')
    this.listeners = new Listeners(this.log, FORWARDER_EVENTS)
    this.unlisten = connection.node.onEvent((event) => this.heard(event))
  }

  /** @internal */
  static async start(shared: Shared, config: ForwardConfig): Promise<Forwarder> {
    const { topic, sink, lingerMs = 250, bytesMax = 1_000_000 } = config
    validateTopic(topic)
    validateNumbers(config, ['lingerMs', 'bytesMax'])
    if (typeof sink?.deliver !== 'function' || typeof sink.id !== 'string') {
      throw new KafkaJSNonRetriableError('Invalid sink: use collectorSink, httpSink or functionSink')
    }
    config.signal?.throwIfAborted()
    const forwarder = new Forwarder(topic, shared, shared.connect())
    const { node } = forwarder.connection
    const options = { topic, sink: sink.id, bytesMax, lingerMs, decode: sink.decode ?? false }
    const { signal } = forwarder.stopped
    const starting = node.forward(options, (batches, keepalive) =>
      sink.deliver(batches, { keepalive, signal }),
    )
    try {
      forwarder.id = await abortable(config.signal, () => starting)
    } catch (error) {
      // It may start yet, for nobody.
      starting.then((id) => node.stopForward(id)).catch(() => undefined)
      forwarder.end()
      throw error
    }
    config.signal?.addEventListener('abort', () => void forwarder.stop().catch(() => undefined), { signal })
    return forwarder
  }

  /** Hears of an event of this forwarder; answers what stops that. */
  on<Name extends keyof ForwarderEvents>(
    name: Name,
    listener: (event: ForwarderEvents[Name]) => unknown,
  ): RemoveListener {
    return this.listeners.on(name, listener)
  }

  /** Does not wait for the rest of a backoff. */
  retryNow(): void {
    this.connection.node.tell((node) => node.online())
  }

  /** Stops forwarding in this tab. What is not delivered stays in the log. */
  async stop(): Promise<void> {
    if (this.stopped.signal.aborted) return
    this.stopped.abort()
    try {
      await this.connection.node.stopForward(this.id)
    } finally {
      this.end()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  private end(): void {
    this.unlisten()
    this.connection.release()
  }

  private heard(event: NodeEvent): void {
    if (!event.type.startsWith(PREFIX) || event['topic'] !== this.topic) return
    const { type, forwarder: _, ...fields } = event
    if (type === 'forwarder.retrying') {
      this.attempts += 1
      const { topic, code, message, retriable, waitMs } = fields
      const backoff = {
        topic,
        error: { code, message, retriable },
        attempts: this.attempts,
        retryInMs: waitMs,
      }
      if (retriable !== true && this.told !== message) {
        this.told = message
        this.log.warn(`Records are not delivered: ${message}`, { topic, code, retryInMs: waitMs })
      }
      this.listeners.tell('backoff', backoff as ForwarderEvents['backoff'])
      return
    }
    if (type === 'forwarder.delivered') {
      this.attempts = 0
      this.told = undefined
    }
    if (type === 'forwarder.stuck') {
      const { topic, partition, code, message } = fields
      this.log.error(`Records are not delivered: ${message}`, { topic, partition, code })
    }
    this.listeners.tell(type.slice(PREFIX.length) as keyof ForwarderEvents, fields as never)
  }
}
