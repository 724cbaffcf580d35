import type { PartitionOffset, TopicDescription } from '../native/types.ts'
import { Client } from './client.ts'
import {
  type ErrorDetails,
  fromNative,
  KafkaJSAggregateError,
  KafkaJSCreateTopicError,
  type KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
} from './errors.ts'
import type { NodeHandle } from './node.ts'
import { type PartitionMetadata, partitionMetadata } from './partitioners.ts'
import type { Connection, Shared } from './shared.ts'
import { validateNewTopics, validateTopic, validateTopicNames } from './validate.ts'

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

/** What a group has committed in the partitions of a topic. */
export interface GroupOffsets {
  topic: string
  partitions: { partition: number; offset: string; metadata: string | null }[]
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
export class Admin extends Client {
  readonly events: AdminEvents = EVENTS
  private connection: Connection | undefined

  /** @internal */
  constructor(private readonly shared: Shared) {
    super('Admin', shared.logger, EVENTS)
  }

  /** Opens the log. */
  async connect(): Promise<void> {
    await this.node().call(() => undefined)
    this.emitter.emit(EVENTS.CONNECT, null)
  }

  /** Lets go of the log. */
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
    validateNewTopics(topics)
    const wanted = topics.map(({ topic, numPartitions = 1, configEntries }) => ({
      topic,
      numPartitions: numPartitions === -1 ? 1 : numPartitions,
      configEntries: configEntries ?? [],
    }))
    let created = true
    const errors: KafkaJSError[] = []
    for (const topic of wanted) {
      try {
        await this.node().call((node) => node.createTopic(topic, validateOnly))
      } catch (thrown) {
        const error = fromNative(thrown)
        if (error.type === 'TOPIC_ALREADY_EXISTS') created = false
        else errors.push(new KafkaJSCreateTopicError(error, topic.topic, detailsOf(error)))
      }
    }
    if (errors.length > 0) throw new KafkaJSAggregateError('Topic creation errors', errors)
    return created
  }

  /** The names of all topics. */
  async listTopics(): Promise<string[]> {
    return (await this.describe()).map(({ name }) => name)
  }

  /** Deletes topics with their records. */
  async deleteTopics({ topics }: { topics: string[]; timeout?: number }): Promise<void> {
    validateTopicNames(topics)
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
        throw new KafkaJSProtocolError(message, {
          retriable: false,
          type: 'UNKNOWN_TOPIC_OR_PARTITION',
          code: 3,
        })
      }),
    }
  }

  /** Both ends of each partition. */
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

  /**
   * What a group has committed in these topics, '-1' where it has nothing; without `topics`, in all where it has.
   * `__forwarder` is the group of every forwarder.
   */
  async fetchOffsets({ groupId, topics }: { groupId: string; topics?: string[] }): Promise<GroupOffsets[]> {
    if (typeof groupId !== 'string' || groupId === '') {
      throw new KafkaJSNonRetriableError(`Invalid groupId ${groupId}`)
    }
    const names = topics ?? (await this.listTopics())
    for (const topic of names) validateTopic(topic)
    const read = async (topic: string): Promise<GroupOffsets> => {
      const found = (await this.node().call((node) => node.fetchOffsets(groupId, topic))) as PartitionOffset[]
      return { topic, partitions: found.map(({ metadata = null, ...rest }) => ({ ...rest, metadata })) }
    }
    const offsets = await Promise.all(names.map(read))
    const committed = ({ partitions }: GroupOffsets) => partitions.some(({ offset }) => offset !== '-1')
    return topics === undefined ? offsets.filter(committed) : offsets
  }

  private async describe(): Promise<TopicDescription[]> {
    return (await this.node().call((node) => node.listTopics())) as TopicDescription[]
  }

  private node(): NodeHandle {
    this.connection ??= this.shared.connect()
    return this.connection.node
  }
}

function detailsOf({ type, code, kind, retriable }: KafkaJSError): ErrorDetails {
  return { kind, retriable, ...(type === undefined ? {} : { type }), ...(code === undefined ? {} : { code }) }
}
