import { Kafka } from '../inline.ts'
import { fromNative, KafkaJSNonRetriableError } from '../kafka/errors.ts'
import { Listeners, type RemoveListener } from '../kafka/events.ts'
import { FORWARDER_EVENTS, type Forwarder, type ForwarderEvents } from '../kafka/forwarder.ts'
import type { Kafka as Core, KafkaEvents } from '../kafka/kafka.ts'
import { watchPage } from '../kafka/page.ts'
import type { Producer } from '../kafka/producer.ts'
import { retryOptions, retryTime } from '../kafka/retry.ts'
import { Waits } from '../kafka/waits.ts'
import { uuid } from '../native/uuid.ts'
import { collectorSink } from '../sinks/collector.ts'
import { Identity, type IdentityStorage } from './identity.ts'
import { type Context, type Message, type Part, pageContext, stillContext } from './message.ts'
import { Queue, type StoredMessage } from './queue.ts'

/** How a tracker is made. */
export interface TrackerOptions {
  /** The collector's write key. */
  writeKey: string
  /** The collector's address, such as `https://collect.example.com/v1/batches`. */
  endpoint: string | URL
  /** The topic. Default `'events'`. */
  topic?: string
  /** The log. Default: one of its own. */
  kafka?: Core
  /** Names the log where no `kafka` is given, and the identity. Default `'headwater'`. */
  name?: string
  /** Sends the requests. Default: the realm's own. */
  fetch?: typeof globalThis.fetch
  /** Where the identity persists. Default `localStorage`, else `sessionStorage`, else the page's memory. */
  storage?: IdentityStorage
  /** How long events may wait for more before they are delivered, in milliseconds. Default 250. */
  lingerMs?: number
  /**
   * Identifies the collector over reloads. Default its address; where that changes, say the one that it had at first, or
   * what waits in the logs of visitors is not delivered.
   */
  collector?: string
  /**
   * Sees each message before anything of it is stored. It may change it, answer another one, or answer `null` to forget
   * it; one that throws loses it, as `dropped` tells.
   */
  prepare?: (message: Message) => Message | null | undefined
}

/** What a tracker reports. */
export interface TrackerEvents extends ForwarderEvents, Pick<KafkaEvents, 'storage'> {
  /** A message was taken; it is not in the log yet. */
  recorded: Message
  /** Messages are in the log. */
  stored: { topic: string; messages: StoredMessage[] }
  /** Messages are lost, and this is why. */
  dropped: { count: number; error: Error }
}

/** Tracks what users do: every call returns at once, and its event is in the log a moment later. */
export class Tracker {
  private readonly kafka: Core
  private readonly topic: string
  private readonly identity: Identity
  private readonly queue: Queue
  private readonly listeners: Listeners<TrackerEvents>
  private readonly opened: Promise<Producer>
  private readonly forwarding: Promise<Forwarder>
  private readonly waits = new Waits()
  private readonly leave: RemoveListener[]
  private readonly session: string
  private count = 0
  private context: Context | undefined

  /** @internal */
  constructor(private readonly options: TrackerOptions) {
    const { writeKey, endpoint, topic = 'events', name = 'headwater', fetch, lingerMs, collector } = options
    if (typeof writeKey !== 'string')
      throw new KafkaJSNonRetriableError('Invalid writeKey: a string is expected')
    if (!endpoint) throw new KafkaJSNonRetriableError("Invalid endpoint: the collector's address is expected")
    this.kafka = options.kafka ?? new Kafka({ name })
    this.topic = topic
    this.session = uuid()
    this.identity = new Identity(name, options.storage)
    this.listeners = new Listeners(this.kafka.logger().namespace('Tracker'), [
      ...(['recorded', 'stored', 'dropped', 'storage'] as const),
      ...FORWARDER_EVENTS,
    ])
    this.leave = [
      this.identity.follow(),
      this.kafka.on('storage', (event) => this.listeners.tell('storage', event)),
      watchPage((change) => {
        if (['hidden', 'suspend', 'closing'].includes(change)) this.queue.handOver()
        if (change === 'resume') this.identity.refresh()
      }),
    ]
    this.opened = this.persist(() => this.open())
    this.queue = new Queue(this.opened, topic, {
      stored: (messages) => this.listeners.tell('stored', { topic, messages }),
      dropped: (count, error) => this.dropped(count, error),
    })
    const sink = collectorSink({
      url: endpoint,
      writeKey,
      ...(fetch === undefined ? {} : { fetch }),
      ...(collector === undefined ? {} : { name: collector }),
    })
    const config = { topic, sink, ...(lingerMs === undefined ? {} : { lingerMs }) }
    this.forwarding = this.opened.then(() => this.persist(() => this.kafka.forward(config)))
    this.forwarding.then((forwarder) => this.relay(forwarder)).catch((error: unknown) => this.failed(error))
  }

  get anonymousId(): string {
    return this.identity.anonymousId
  }

  get userId(): string | null {
    return this.identity.userId
  }

  /** Something happened. */
  track(event: string, properties: object = {}): void {
    this.record(() => ({ type: 'track', event, properties: { ...properties } }))
  }

  /** A page was seen. */
  page(name?: string, properties: object = {}): void {
    const named = name === undefined ? {} : { name }
    this.record(() => ({ type: 'page', ...named, properties: { ...pageContext(), ...properties } }))
  }

  /** The user is known now. Without an id, which is a mistake, the user stays who it was. */
  identify(userId: string, traits: object = {}): void {
    // Numbers are what many databases have.
    if ((typeof userId === 'string' && userId !== '') || typeof userId === 'number') {
      this.identity.identify(String(userId))
    } else this.kafka.logger().warn('identify() was called without the id of a user')
    this.record(() => ({ type: 'identify', traits: { ...traits } }))
  }

  /** The user has gone: what follows is somebody else's. */
  reset(): void {
    this.identity.reset()
  }

  /** Resolves when everything that was tracked before survives a power cut; rejects where some of it was dropped. */
  async flush(): Promise<void> {
    await this.queue.flush()
    await (await this.opened).flush()
  }

  /** Resolves when the log is open and its forwarder runs; rejects where that cannot be. */
  async ready(): Promise<void> {
    await this.forwarding
  }

  /** Does not wait for the rest of a backoff. */
  retryNow(): void {
    this.forwarding.then((forwarder) => forwarder.retryNow()).catch(() => undefined)
  }

  /** Stores what was tracked, and stops. What is not delivered stays in the log. */
  async close(): Promise<void> {
    for (const leave of this.leave.splice(0)) leave()
    const flushed = this.queue.flush()
    this.waits.end()
    try {
      await flushed
    } finally {
      await Promise.allSettled([
        this.forwarding.then((forwarder) => forwarder.stop()),
        this.opened.then((producer) => producer.disconnect()),
      ])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Hears of an event; answers what stops that. */
  on<Name extends keyof TrackerEvents>(
    name: Name,
    listener: (event: TrackerEvents[Name]) => unknown,
  ): RemoveListener {
    return this.listeners.on(name, listener)
  }

  private record(part: () => Part): void {
    try {
      const now = new Date()
      const made = this.message(part(), now)
      const prepared = this.options.prepare?.(made)
      if (prepared === null) return
      const message = prepared ?? made
      const key = String(message.userId ?? message.anonymousId)
      const json = JSON.stringify(message)
      this.queue.add({ messageId: message.messageId, key, json, timestamp: now.getTime() })
      this.listeners.tell('recorded', message)
    } catch (thrown) {
      // Properties that are no JSON, or throw when they are looked at, must not break the page.
      this.dropped(1, thrown instanceof Error ? thrown : new Error(String(thrown)))
    }
  }

  private message(part: Part, now: Date): Message {
    this.context ??= stillContext()
    const page = pageContext()
    return {
      ...part,
      // One random id a page and a count: a random id a message is the dearest part of tracking it.
      messageId: `${this.session}-${(this.count++).toString(36)}`,
      anonymousId: this.identity.anonymousId,
      userId: this.identity.userId,
      timestamp: now.toISOString(),
      context: { ...this.context, ...(page === undefined ? {} : { page }) },
    }
  }

  private async open(): Promise<Producer> {
    const producer = this.kafka.producer()
    await producer.connect()
    return producer
  }

  /** Tries for as long as waiting may help. */
  private async persist<T>(attempt: () => Promise<T>): Promise<T> {
    const retry = retryOptions({ initialRetryTime: 1_000 })
    for (let failures = 1; ; failures++) {
      try {
        return await attempt()
      } catch (thrown) {
        const error = fromNative(thrown)
        if (!error.retriable || this.waits.over) throw error
        const wait = retryTime(retry, failures)
        this.kafka.logger().warn(`The tracker tries again in ${wait} ms: ${error.message}`)
        await this.waits.sleep(wait)
      }
    }
  }

  private relay(forwarder: Forwarder): void {
    for (const name of FORWARDER_EVENTS) forwarder.on(name, (event) => this.listeners.tell(name, event))
  }

  private failed(thrown: unknown): void {
    const { message, type: code = 'INTERNAL' } = fromNative(thrown)
    this.kafka.logger().error(`Events are not delivered: ${message}`)
    this.listeners.tell('stuck', { topic: this.topic, partition: -1, code, message })
  }

  private dropped(count: number, error: Error): void {
    this.kafka.logger().warn(`${count} events were lost: ${error.message}`)
    this.listeners.tell('dropped', { count, error })
  }
}
