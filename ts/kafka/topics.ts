/** What an admin does with topics. */

import type { TopicDescription } from '../native/types.ts'
import type { TopicConfig, TopicMetadata, TopicOffsets, TopicPartitionConfig } from './admin.ts'
import {
  fromNative,
  KafkaJSAggregateError,
  KafkaJSCreateTopicError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
} from './errors.ts'
import type { NodeHandle } from './node.ts'
import { NODE, partitionMetadata } from './partitioners.ts'
import { long, validateTopic } from './validate.ts'

/** Kafka's words, as KafkaJS has them. */
const TEXTS: Record<string, string> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'This server does not host this topic-partition',
  INVALID_PARTITIONS: 'Number of partitions is invalid',
  INVALID_REPLICA_ASSIGNMENT: 'Replica assignment is invalid',
}

/** The topics of a log. */
export class Topics {
  constructor(private readonly node: NodeHandle) {}

  /** False where one of them exists; the others are created. */
  async create(topics: TopicConfig[], validateOnly: boolean): Promise<boolean> {
    validateNewTopics(topics)
    const settled = await Promise.all(topics.map((topic) => this.createOne(topic, Boolean(validateOnly))))
    const errors = settled.filter((each) => each instanceof KafkaJSCreateTopicError)
    if (errors.length > 0) throw new KafkaJSAggregateError('Topic creation errors', errors)
    return settled.every((each) => each === true)
  }

  async names(): Promise<string[]> {
    return (await this.describe()).map(({ name }) => name)
  }

  async delete(topics: string[]): Promise<void> {
    validateTopicNames(topics)
    for (const topic of topics) {
      await this.node.call(async (node, held) => {
        await node.deleteTopic(topic)
        held?.deleted(topic)
      })
    }
  }

  /** Gives topics more partitions. */
  async grow(topicPartitions: TopicPartitionConfig[], validateOnly: boolean): Promise<boolean> {
    validateTopicPartitions(topicPartitions)
    for (const { topic, count, assignments = [] } of topicPartitions) {
      if (assignments.flat().some((node) => node !== NODE)) throw refusal('INVALID_REPLICA_ASSIGNMENT', 39)
      await this.node
        .call((node) => node.createPartitions(topic, count, Boolean(validateOnly)))
        .catch((thrown: unknown) => {
          const error = fromNative(thrown)
          const { type = '', code = 0 } = error
          throw type in TEXTS ? refusal(type, code, error) : error
        })
    }
    return true
  }

  /** Of these topics, or of all where none is named. */
  async metadata(topics: string[] = []): Promise<TopicMetadata[]> {
    for (const topic of topics) validateTopic(topic)
    const known = new Map((await this.describe()).map((topic) => [topic.name, topic]))
    const names = topics.length === 0 ? [...known.keys()] : topics
    return names.map((name) => {
      const found = known.get(name)
      if (found !== undefined) return { name, partitions: partitionMetadata(found.partitions) }
      throw refusal('UNKNOWN_TOPIC_OR_PARTITION', 3)
    })
  }

  /** Both ends of each partition. */
  async offsets(topic: string): Promise<TopicOffsets[]> {
    validateTopic(topic)
    type Ends = { partition: number; low: string; high: string }
    const ends = (await this.node.call((node) => node.fetchTopicOffsets(topic))) as Ends[]
    return ends.map(({ partition, low, high }) => ({ partition, offset: high, high, low }))
  }

  /** The first offset at or after a time in each partition, or the end. */
  async offsetsAt(
    topic: string,
    timestamp: number | bigint,
  ): Promise<{ partition: number; offset: string }[]> {
    validateTopic(topic)
    const at = long(timestamp, 'timestamp')
    const count = await this.node.call((node) => node.partitions(topic, false))
    const find = async (_: unknown, partition: number) => ({
      partition,
      offset: String(await this.node.call((node) => node.offsetAt(topic, partition, at))),
    })
    return Promise.all(Array.from({ length: count }, find))
  }

  /** True where it was created, false where it existed, else why not. */
  private async createOne(
    { topic, numPartitions = -1, replicaAssignment = [], configEntries }: TopicConfig,
    validateOnly: boolean,
  ): Promise<boolean | KafkaJSCreateTopicError> {
    const count = numPartitions === -1 ? Math.max(1, replicaAssignment.length) : numPartitions
    try {
      const wanted = { topic, numPartitions: count, configEntries: configEntries ?? [] }
      await this.node.call((node) => node.createTopic(wanted, validateOnly))
      return true
    } catch (thrown) {
      const error = fromNative(thrown)
      if (error.type === 'TOPIC_ALREADY_EXISTS') return false
      return new KafkaJSCreateTopicError(error, topic)
    }
  }

  private async describe(): Promise<TopicDescription[]> {
    return (await this.node.call((node) => node.listTopics())) as TopicDescription[]
  }
}

function refusal(type: string, code: number, cause?: unknown): KafkaJSProtocolError {
  return new KafkaJSProtocolError(TEXTS[type] ?? type, { retriable: false, type, code, cause })
}

/** Checks what `deleteTopics` is given. */
function validateTopicNames(topics: unknown): void {
  if (!Array.isArray(topics)) throw new KafkaJSNonRetriableError(`Invalid topics array ${topics}`)
  if (topics.some((topic) => typeof topic !== 'string')) {
    throw new KafkaJSNonRetriableError('Invalid topics array, the names must be a valid string')
  }
}

/** Checks what `createTopics` is given. */
function validateNewTopics(topics: unknown): void {
  validateDistinct('topics', topics)
  for (const { topic, configEntries } of topics as { topic: string; configEntries?: unknown }[]) {
    if (configEntries !== undefined && configEntries !== null) validateEntries(topic, configEntries)
  }
}

/** Checks what `createPartitions` is given. */
function validateTopicPartitions(topicPartitions: unknown): void {
  validateDistinct('topic partitions', topicPartitions)
}

function validateDistinct(what: string, topics: unknown): void {
  const invalid = `Invalid ${what} array`
  if (!Array.isArray(topics)) throw new KafkaJSNonRetriableError(`${invalid} ${topics}`)
  const names = topics.map((topic: unknown) => (Object(topic) as { topic?: unknown }).topic)
  if (names.some((name) => typeof name !== 'string')) {
    throw new KafkaJSNonRetriableError(`${invalid}, the topic names have to be a valid string`)
  }
  if (new Set(names).size < names.length) {
    throw new KafkaJSNonRetriableError(`${invalid}, it cannot have multiple entries for the same topic`)
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
        throw new KafkaJSNonRetriableError(
          `${invalid}. Entry ${index} must have a valid "${property}" property`,
        )
      }
    }
  }
}
