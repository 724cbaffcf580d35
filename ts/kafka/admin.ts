import type { PartitionOffset, TopicDescription } from '../native/types.ts'
import {
  fromNative,
  KafkaJSAggregateError,
  KafkaJSCreateTopicError,
  type KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
} from './errors.ts'
import { Emitter, type InstrumentationEvent, type RemoveListener } from './events.ts'
import type { Shared } from './kafka.ts'
import type { Logger } from './logger.ts'
import type { NodeHandle } from './node.ts'
import { type PartitionMetadata, partitionMetadata } from './partitioners.ts'

/** A topic to create. */
export interface TopicConfig {
  topic: string
  /** Default 1. */
  numPartitions?: number
  /** Accepted and ignored: there is one copy. */
  replicationFactor?: number
  /** Under Kafka's names; see the README's table. */
  configEntries?: { name: string; value: string }[]
}

/** One partition's offsets: `high` (and `offset`) is the next to be written, `low` the first that can be read. */
export interface TopicOffsets {
  partition: number
  offset: string
  high: string
  low: string
}

/** A topic with its partitions. */
export interface TopicMetadata {
  name: string
  partitions: PartitionMetadata[]
}

const EVENTS = {
  CONNECT: 'admin.connect',
  DISCONNECT: 'admin.disconnect',
  REQUEST: 'admin.network.request',
  REQUEST_TIMEOUT: 'admin.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'admin.network.request_queue_size',
} as const

/** Names of an admin's events. */
export type AdminEvents = typeof EVENTS

/** Looks after topics and offsets. Its calls work without `connect()`. */
export class Admin {
  readonly events: AdminEvents = EVENTS
  private readonly log: Logger
  private readonly emitter: Emitter
  private connection: { node: NodeHandle; release: () => void } | undefined

  constructor(private readonly shared: Shared) {
    this.log = shared.logger.namespace('Admin')
    this.emitter = new Emitter('admin', EVENTS, this.log)
  }

  async connect(): Promise<void> {
    await this.node().call(() => undefined)
    this.emitter.emit(EVENTS.CONNECT, null)
  }

  async disconnect(): Promise<void> {
    this.connection?.release()
    this.connection = undefined
    this.emitter.emit(EVENTS.DISCONNECT, null)
  }

  /**
   * Creates topics. Resolves to false, and creates the others, where one of them exists.
   * @throws KafkaJSAggregateError of KafkaJSCreateTopicError for what the log refuses
   */
  async createTopics({
    topics,
    validateOnly = false,
  }: {
    topics: TopicConfig[]
    validateOnly?: boolean
    waitForLeaders?: boolean
    timeout?: number
  }): Promise<boolean> {
    validateTopics(topics)
    const wanted = topics.map(({ topic, numPartitions = 1, configEntries = [] }) => ({
      topic,
      numPartitions: numPartitions === -1 ? 1 : numPartitions,
      configEntries,
    }))
    let created = true
    const errors: KafkaJSError[] = []
    for (const topic of wanted) {
      try {
        await this.node().call((node) => node.createTopic(topic, validateOnly))
      } catch (thrown) {
        const { type, code, message, retriable, kind } = fromNative(thrown)
        if (type === 'TOPIC_ALREADY_EXISTS') {
          created = false
          continue
        }
        const named = { ...(type === undefined ? {} : { type }), ...(code === undefined ? {} : { code }) }
        errors.push(new KafkaJSCreateTopicError(message, topic.topic, { ...named, retriable, kind }))
      }
    }
    if (errors.length > 0) throw new KafkaJSAggregateError('Topic creation errors', errors)
    return created
  }

  async listTopics(): Promise<string[]> {
    return (await this.describe()).map(({ name }) => name)
  }

  /** Deletes topics with their records. */
  async deleteTopics({ topics }: { topics: string[]; timeout?: number }): Promise<void> {
    if (!Array.isArray(topics)) throw new KafkaJSNonRetriableError(`Invalid topics array ${topics}`)
    if (topics.some((topic) => typeof topic !== 'string')) {
      throw new KafkaJSNonRetriableError('Invalid topics array, the names must be a valid string')
    }
    for (const topic of topics) await this.node().call((node) => node.deleteTopic(topic))
  }

  /** Topics with their partitions; all of them where none is named. An unknown one rejects. */
  async fetchTopicMetadata({ topics }: { topics?: string[] } = {}): Promise<{ topics: TopicMetadata[] }> {
    for (const topic of topics ?? []) validateTopic(topic)
    const all = await this.describe()
    const known = new Map(all.map((topic) => [topic.name, topic]))
    const names = topics === undefined || topics.length === 0 ? [...known.keys()] : topics
    return {
      topics: names.map((name) => {
        const found = known.get(name)
        if (found !== undefined) return { name, partitions: partitionMetadata(found.partitions) }
        const message = 'This server does not host this topic-partition'
        throw new KafkaJSProtocolError(message, { retriable: false, type: 'UNKNOWN_TOPIC_OR_PARTITION', code: 3 })
      }),
    }
  }

  async fetchTopicOffsets(topic: string): Promise<TopicOffsets[]> {
    validateTopic(topic)
    type Ends = { partition: number; low: string; high: string }
    const ends = (await this.node().call((node) => node.fetchTopicOffsets(topic))) as Ends[]
    return ends.map(({ partition, low, high }) => ({ partition, offset: high, high, low }))
  }

  /** The first offset at or after a time in each partition, or the end. */
  async fetchTopicOffsetsByTimestamp(
    topic: string,
    timestamp?: number,
  ): Promise<{ partition: number; offset: string }[]> {
    validateTopic(topic)
    const count = await this.node().call((node) => node.partitions(topic, false))
    const at = BigInt(timestamp ?? -1)
    const partitions = Array.from({ length: count }, (_, partition) => partition)
    const find = async (partition: number) => ({
      partition,
      offset: String(await this.node().call((node) => node.offsetAt(topic, partition, at))),
    })
    return Promise.all(partitions.map(find))
  }

  /** What a group has committed; '-1' where it has nothing. `__forwarder` is the group of every forwarder. */
  async fetchOffsets({
    groupId,
    topics,
  }: {
    groupId: string
    topics?: string[]
  }): Promise<{ topic: string; partitions: { partition: number; offset: string; metadata: string | null }[] }[]> {
    if (typeof groupId !== 'string' || groupId === '') throw new KafkaJSNonRetriableError(`Invalid groupId ${groupId}`)
    const names = topics ?? (await this.listTopics())
    const read = async (topic: string) => {
      const found = (await this.node().call((node) => node.fetchOffsets(groupId, topic))) as PartitionOffset[]
      const partitions = found.map(({ partition, offset, metadata }) => ({
        partition,
        offset,
        metadata: metadata ?? null,
      }))
      return { topic, partitions }
    }
    return Promise.all(names.map(read))
  }

  on<Payload = unknown>(name: string, listener: (event: InstrumentationEvent<Payload>) => unknown): RemoveListener {
    return this.emitter.on(name, listener)
  }

  logger(): Logger {
    return this.log
  }

  private async describe(): Promise<TopicDescription[]> {
    return (await this.node().call((node) => node.listTopics())) as TopicDescription[]
  }

  private node(): NodeHandle {
    this.connection ??= this.shared.connect()
    return this.connection.node
  }
}

function validateTopic(topic: unknown): void {
  if (typeof topic !== 'string' || topic === '') throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`)
}

function validateTopics(topics: TopicConfig[]): void {
  if (!Array.isArray(topics)) throw new KafkaJSNonRetriableError(`Invalid topics array ${topics}`)
  if (topics.some(({ topic }) => typeof topic !== 'string')) {
    throw new KafkaJSNonRetriableError('Invalid topics array, the topic names have to be a valid string')
  }
  if (new Set(topics.map(({ topic }) => topic)).size < topics.length) {
    const message = 'Invalid topics array, it cannot have multiple entries for the same topic'
    throw new KafkaJSNonRetriableError(message)
  }
  for (const { topic, configEntries } of topics) {
    if (configEntries !== undefined) validateEntries(topic, configEntries)
  }
}

function validateEntries(topic: string, entries: unknown): void {
  const invalid = `Invalid configEntries for topic "${topic}"`
  if (!Array.isArray(entries)) throw new KafkaJSNonRetriableError(`${invalid}, must be an array`)
  for (const [index, entry] of entries.entries()) {
    if (typeof entry !== 'object' || entry === null) {
      throw new KafkaJSNonRetriableError(`${invalid}. Entry ${index} must be an object`)
    }
    for (const property of ['value', 'name']) {
      if (typeof (entry as Record<string, unknown>)[property] !== 'string') {
        throw new KafkaJSNonRetriableError(`${invalid}. Entry ${index} must have a valid "${property}" property`)
      }
    }
  }
}
