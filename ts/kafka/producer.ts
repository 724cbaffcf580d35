import type { Bytes, FrameHeader } from '../native/frames.ts'
import { Client } from './client.ts'
import { fromNative, KafkaJSError, KafkaJSNonRetriableError, KafkaJSNotImplemented } from './errors.ts'
import type { NodeHandle } from './node.ts'
import {
  type CreatePartitioner,
  DefaultPartitioner,
  type Partitioner,
  partitionMetadata,
} from './partitioners.ts'
import type { RetryOptions } from './retry.ts'
import type { Place } from './sender.ts'
import type { Connection, Shared } from './shared.ts'
import { validateMessages } from './validate.ts'

/** How a producer is made. */
export interface ProducerConfig {
  /** Chooses partitions. Default: explicit, else murmur2 of the key, else in turn. */
  createPartitioner?: CreatePartitioner
  /** Create a topic at the first send to it. Default true. */
  allowAutoTopicCreation?: boolean
  /** The log never repeats an append, whatever this says; with it, `acks` must be -1, as in KafkaJS. Default false. */
  idempotent?: boolean
  /** Accepted and ignored: the log tries again by itself. */
  retry?: RetryOptions
  /** Accepted and ignored. */
  maxInFlightRequests?: number
  /** Accepted and ignored. */
  metadataMaxAge?: number
  /** Not in this version. */
  transactionalId?: string
}

/** Headers of a message that is sent. */
export interface Headers {
  [key: string]: Bytes | Bytes[] | undefined
}

/** A message to send. */
export interface Message {
  key?: Bytes | null
  /** `null` is a tombstone. */
  value: Bytes | null
  partition?: number | null
  headers?: Headers
  /** Milliseconds since 1970. Default: now. */
  timestamp?: string | number
}

/** What `send` is given. */
export interface ProducerRecord {
  topic: string
  messages: Message[]
  /** -1 survives a power cut, 1 the tab and the browser, 0 promises nothing. Default -1. */
  acks?: number
  /** Accepted and ignored. */
  timeout?: number
  /** None is needed here: GZIP is accepted and ignored, the other codecs are refused. */
  compression?: number
}

/** Messages of one topic in a batch. */
export interface TopicMessages {
  topic: string
  messages: Message[]
}

/** What `sendBatch` is given. */
export interface ProducerBatch {
  topicMessages?: TopicMessages[]
  acks?: number
  timeout?: number
  compression?: number
}

/** Where the records of a send went in one partition. */
export interface RecordMetadata {
  topicName: string
  partition: number
  errorCode: number
  baseOffset: string
  logAppendTime: string
  logStartOffset: string
}

const EVENTS = {
  CONNECT: 'producer.connect',
  DISCONNECT: 'producer.disconnect',
  REQUEST: 'producer.network.request',
  REQUEST_TIMEOUT: 'producer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size',
} as const

/** Names of a producer's events. */
export type ProducerEvents = typeof EVENTS

const GZIP = 1
const NONE = 0

/** Sends records. */
export class Producer extends Client {
  readonly events: ProducerEvents = EVENTS
  private readonly partitioner: Partitioner | undefined
  private readonly create: boolean
  private state: 'disconnected' | 'connected' | 'disconnecting' = 'disconnected'
  private connection: Connection | undefined
  /** What waits for a partition count, and so is not on its way yet. */
  private readonly choosing = new Set<Promise<Choice>>()

  /** @internal */
  constructor(
    private readonly shared: Shared,
    private readonly config: ProducerConfig,
  ) {
    super('Producer', shared.logger, EVENTS)
    if (config.transactionalId !== undefined) {
      throw new KafkaJSNotImplemented('Transactions are not in this version of headwater')
    }
    if (config.idempotent === true && (config.retry?.retries ?? shared.retry.retries) < 1) {
      const message = 'Idempotent producer must allow retries to protect against transient errors'
      throw new KafkaJSNonRetriableError(message)
    }
    const partitioner = config.createPartitioner
    // The log itself chooses as the default partitioner does, under the partition count at the time of the append.
    this.partitioner =
      partitioner === undefined || partitioner === DefaultPartitioner ? undefined : partitioner()
    this.create = config.allowAutoTopicCreation ?? true
  }

  /** Opens the log. */
  async connect(): Promise<void> {
    this.connection ??= this.shared.connect()
    await this.connection.node.call(() => undefined)
    this.state = 'connected'
    this.emitter.emit(EVENTS.CONNECT, null)
  }

  /** Waits until what was sent survives a power cut, then lets go of the log. */
  async disconnect(): Promise<void> {
    const { connection } = this
    try {
      if (this.state !== 'connected' || connection === undefined) return
      this.state = 'disconnecting'
      await this.flushed(connection.node)
    } finally {
      this.state = 'disconnected'
      this.connection = undefined
      connection?.release()
      this.emitter.emit(EVENTS.DISCONNECT, null)
    }
  }

  /**
   * Appends messages to a topic; resolves when they are as durable as `acks` asks for.
   * @throws KafkaJSNonRetriableError for malformed messages, KafkaJSProtocolError for what the log refuses
   */
  async send({ topic, messages, acks = -1, compression = 0 }: ProducerRecord): Promise<RecordMetadata[]> {
    return this.sendBatch({ acks, compression, topicMessages: [{ topic, messages }] })
  }

  /** Appends messages to several topics. Entries of one topic are one append, in order. */
  async sendBatch({
    acks = -1,
    compression = 0,
    topicMessages = [],
  }: ProducerBatch): Promise<RecordMetadata[]> {
    if (this.config.idempotent === true && acks !== -1) {
      const message =
        "Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees"
      throw new KafkaJSNonRetriableError(message)
    }
    for (const { topic, messages } of topicMessages) validateMessages(topic, messages)
    if (compression > GZIP)
      throw new KafkaJSNotImplemented('Snappy, LZ4 and ZSTD are not in this version of headwater')
    this.connected()
    const byTopic = new Map<string, Message[]>()
    for (const { topic, messages } of topicMessages) {
      const known = byTopic.get(topic)
      byTopic.set(topic, known === undefined ? messages : known.concat(messages))
    }
    const sends = [...byTopic].map(async ([topic, messages]) => {
      const appended = this.append(topic, messages, acks)
      if (acks === NONE) return this.unacknowledged(topic, appended)
      return describe(topic, await appended)
    })
    return (await Promise.all(sends)).flat()
  }

  /** Resolves when everything that was sent before survives a power cut. */
  async flush(): Promise<void> {
    await this.flushed(this.connected())
  }

  /** What the configuration says. */
  isIdempotent(): boolean {
    return this.config.idempotent ?? false
  }

  /** Nobody waits for these: they are lost if they cannot be stored, but not in silence. */
  private unacknowledged(topic: string, appended: Promise<Place[]>): [] {
    appended.catch((error: unknown) => {
      const { message } = fromNative(error)
      this.log.error(`Records that were sent with acks 0 were not stored: ${message}`, { topic })
    })
    return []
  }

  private connected(): NodeHandle {
    if (this.connection !== undefined && this.state === 'connected') return this.connection.node
    const message =
      this.state === 'disconnecting'
        ? "The producer is disconnecting; therefore, it can't safely accept messages anymore"
        : 'The producer is disconnected'
    throw new KafkaJSError(message, { retriable: false, kind: 'Closed' })
  }

  /** @internal Appends messages to one topic; answers where they went, batch by batch. */
  async append(topic: string, messages: Message[], acks: number): Promise<Place[]> {
    if (messages.length === 0) return []
    const { sender } = this.connected()
    const choice = this.choice(topic)
    const choose = choice instanceof Promise ? await choice : choice
    return sender.send(topic, acks, this.create, (frames) => {
      const now = Date.now()
      for (const message of messages) {
        const { key = null, value, headers, timestamp = now } = message
        frames.add(choose(message), Number(timestamp), key, value, headerList(headers))
      }
    })
  }

  /** What chooses a message's partition; -1 leaves it to the log. */
  private choice(topic: string): Choice | Promise<Choice> {
    const { partitioner } = this
    if (partitioner === undefined) return ({ partition }) => partition ?? -1
    const choice = this.connected().callNow(async (node) => {
      const metadata = partitionMetadata(await node.partitions(topic, this.create))
      return (message: Message) => partitioner({ topic, partitionMetadata: metadata, message })
    })
    this.choosing.add(choice)
    const chosen = () => this.choosing.delete(choice)
    choice.then(chosen, chosen)
    return choice
  }

  private async flushed(node: NodeHandle): Promise<void> {
    await Promise.allSettled(this.choosing)
    await node.flush()
  }
}

type Choice = (message: Message) => number

/** One entry a partition: where the first record went. */
function describe(topicName: string, places: Place[]): RecordMetadata[] {
  const first = new Map<number, Place>()
  for (const place of places) if (!first.has(place.partition)) first.set(place.partition, place)
  return [...first.values()].map(({ partition, baseOffset, logStartOffset, logAppendTime }) => ({
    topicName,
    partition,
    errorCode: 0,
    baseOffset: String(baseOffset),
    logAppendTime: String(logAppendTime),
    logStartOffset: String(logStartOffset),
  }))
}

const NO_HEADERS: FrameHeader[] = []

function headerList(headers: Headers | undefined): FrameHeader[] {
  if (headers === undefined) return NO_HEADERS
  return Object.entries(headers).flatMap(([key, value]): FrameHeader[] => {
    if (Array.isArray(value)) return value.map((each) => [key, each])
    return value === undefined ? [] : [[key, value]]
  })
}
