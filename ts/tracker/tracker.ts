import { Kafka } from '../inline.ts'
import type { Kafka as Core } from '../kafka/kafka.ts'
import {
  collectorSink,
  type Forwarder,
  type ForwarderEvents,
  type Producer,
  type RecordMetadata,
} from '../public.ts'
import { Identity, type IdentityStorage } from './identity.ts'
import { type Context, type Message, messageIds, pageContext, stillContext } from './message.ts'
import { Queue } from './queue.ts'

/** How a tracker is made. */
export interface TrackerOptions {
  /** The collector's write key. */
  writeKey: string
  /** The collector's address, such as `https://collect.example.com/v1/batches`. */
  endpoint: string
  /** The topic. Default `'events'`. */
  topic?: string
  /** The log; default: one of its own `name`. */
  kafka?: Core
  /** Names the log where no `kafka` is given. Default `'headwater'`. */
  name?: string
  /** Sends the requests. Default: the realm's own. */
  fetch?: typeof globalThis.fetch
  /** Where identities persist. Default `localStorage`, where it can be used. */
  storage?: IdentityStorage
  /** How long events may wait for more before they are delivered, in milliseconds. Default 250. */
  lingerMs?: number
}

/** A message in the log. */
export interface StoredMessage {
  messageId: string
  partition: number
  offset: string
}

/** What a tracker reports. */
export interface TrackerEvents extends Pick<ForwarderEvents, 'delivered' | 'backoff' | 'uncertain' | 'deadLettered' | 'stuck'> {
  /** A message was taken; it is not in the log yet. */
  recorded: Message
  /** Messages are in the log. Only those whose partition is known beyond doubt are named. */
  stored: { topic: string; messages: StoredMessage[] }
  /** Messages are lost, and this is why. */
  dropped: { count: number; error: Error }
}

type Listener<Name extends keyof TrackerEvents> = (event: TrackerEvents[Name]) => void

/** Tracks what users do: every call returns at once, and its event is in the log a moment later. */
export class Tracker {
  private readonly identity: Identity
  private readonly queue: Queue
  private readonly listeners = new Map<string, Set<(event: never) => void>>()
  private readonly nextId = messageIds()
  private readonly topic: string
  private readonly opened: Promise<Producer>
  private readonly forwarding: Promise<Forwarder>
  private context: Context | undefined

  constructor(options: TrackerOptions) {
    const { writeKey, endpoint, topic = 'events', name = 'headwater' } = options
    if (typeof writeKey !== 'string') throw new TypeError('createTracker: writeKey must be a string')
    if (typeof endpoint !== 'string' || endpoint === '') throw new TypeError('createTracker: endpoint must be an address')
    this.topic = topic
    this.identity = new Identity(name, options.storage)
    const kafka = options.kafka ?? new Kafka({ name })
    this.opened = open(kafka)
    this.queue = new Queue(this.opened, topic, {
      stored: (messages, metadata) => this.stored(messages, metadata),
      dropped: (messages, error) => this.tell('dropped', { count: messages.length, error }),
    })
    const sink = collectorSink({ url: endpoint, writeKey, ...(options.fetch ? { fetch: options.fetch } : {}) })
    this.forwarding = this.forward(kafka, sink, options.lingerMs)
    // Whoever waits for ready() hears of a failure; nobody else is to be troubled by it.
    this.forwarding.catch(() => undefined)
    this.opened.catch(() => undefined)
  }

  get anonymousId(): string {
    return this.identity.anonymousId
  }

  get userId(): string | null {
    return this.identity.userId
  }

  /** Something happened. */
  track(event: string, properties: object = {}): void {
    this.record({ type: 'track', event, properties })
  }

  /** A page was seen. */
  page(name?: string, properties: object = {}): void {
    const page = pageContext()
    const named = name === undefined ? {} : { name }
    this.record({ type: 'page', ...named, properties: { ...page, ...properties } })
  }

  /** The user is known now. */
  identify(userId: string, traits: object = {}): void {
    this.identity.identify(userId)
    this.record({ type: 'identify', traits })
  }

  /** The user has gone: what follows is somebody else's. */
  reset(): void {
    this.identity.reset()
  }

  /** Resolves when everything that was tracked before survives a power cut. */
  async flush(): Promise<void> {
    await this.queue.flush()
    await (await this.opened).flush()
  }

  /** Resolves when the log is open and its forwarder runs; rejects where it cannot. */
  async ready(): Promise<void> {
    await this.opened
    await this.forwarding
  }

  /** Does not wait for the rest of a backoff. */
  retryNow(): void {
    void this.forwarding.then((forwarder) => forwarder.retryNow()).catch(() => undefined)
  }

  /** Hears of an event; answers what stops that. */
  on<Name extends keyof TrackerEvents>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.listeners.get(name) ?? new Set()
    this.listeners.set(name, listeners)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  private record(part: Pick<Message, 'type'> & Partial<Message>): void {
    this.context ??= stillContext()
    const page = pageContext()
    const message: Message = {
      ...part,
      messageId: this.nextId(),
      anonymousId: this.identity.anonymousId,
      userId: this.identity.userId,
      timestamp: new Date().toISOString(),
      context: page === undefined ? this.context : { ...this.context, page },
    }
    this.queue.add(message)
    this.tell('recorded', message)
  }

  private async forward(kafka: Core, sink: ReturnType<typeof collectorSink>, lingerMs?: number): Promise<Forwarder> {
    await this.opened
    const forwarder = await kafka.forward({ topic: this.topic, sink, ...(lingerMs === undefined ? {} : { lingerMs }) })
    for (const name of ['delivered', 'backoff', 'uncertain', 'deadLettered', 'stuck'] as const) {
      forwarder.on(name, (event) => this.tell(name, event))
    }
    return forwarder
  }

  private stored(messages: Message[], metadata: RecordMetadata[]): void {
    const [only] = metadata
    const base = metadata.length === 1 && only !== undefined ? BigInt(only.baseOffset) : undefined
    const stored =
      base === undefined || only === undefined
        ? []
        : messages.map(({ messageId }, index) => ({
            messageId,
            partition: only.partition,
            offset: String(base + BigInt(index)),
          }))
    this.tell('stored', { topic: this.topic, messages: stored })
  }

  private tell<Name extends keyof TrackerEvents>(name: Name, event: TrackerEvents[Name]): void {
    for (const listener of [...(this.listeners.get(name) ?? [])]) listener(event as never)
  }
}

async function open(kafka: Core): Promise<Producer> {
  const producer = kafka.producer()
  await producer.connect()
  return producer
}
