import type { KafkaMessage } from '../native/messages.ts'
import type { Batch } from './batch.ts'

/** One partition of a topic. */
export interface TopicPartition {
  topic: string
  partition: number
}

/** The name of a partition in maps; topics have no slash in their names. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** A partition and the offset to go on with, as a decimal string. */
export interface TopicPartitionOffset extends TopicPartition {
  offset: string
}

/** The same with metadata. */
export interface TopicPartitionOffsetAndMetadata extends TopicPartitionOffset {
  metadata?: string | null
}

/** An offset as it may be given: a decimal string or a bigint, with metadata where it is committed. */
export interface GivenOffset extends TopicPartition {
  offset: string | bigint
  metadata?: string | null
}

/** Partitions of a topic; all of them where none is named. */
export interface TopicPartitions {
  topic: string
  partitions?: number[]
}

/** Offsets by topic and partition: each is the next to read, as a decimal string. */
export interface OffsetsByTopicPartition {
  topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
}

/** What a handler is given. */
export interface EachMessagePayload extends TopicPartition {
  message: KafkaMessage
  /** Emits HEARTBEAT where the interval has passed. The group needs no call of it: heartbeats go on by themselves. */
  heartbeat(): Promise<void>
  /** Pauses this partition; answers what resumes it. */
  pause(): () => void
}

/** Handles one message. What it throws makes the message come again, after a wait; see {@link RetryOptions}. */
export type EachMessageHandler = (payload: EachMessagePayload) => Promise<void>

/** What a handler of batches is given. */
export interface EachBatchPayload {
  batch: Batch
  /** This message, and all before it, have been handled. */
  resolveOffset(offset: string): void
  /** As {@link EachMessagePayload.heartbeat}. */
  heartbeat(): Promise<void>
  /** Pauses this partition; answers what resumes it. */
  pause(): () => void
  /** Commits these offsets; without any, what is resolved where `autoCommitInterval` or `-Threshold` say it is time. */
  commitOffsetsIfNecessary(offsets?: OffsetsByTopicPartition): Promise<void>
  /** What is resolved and not committed. */
  uncommittedOffsets(): OffsetsByTopicPartition
  /** False once the consumer is being stopped: handle no more, and resolve what was handled. */
  isRunning(): boolean
  /** True once a seek, or the loss of the partition, has made the rest of the batch stale: handle no more of it. */
  isStale(): boolean
}

/** Handles one batch. What it throws makes it come again from the first message that is not resolved. */
export type EachBatchHandler = (payload: EachBatchPayload) => Promise<void>

/** What the group gives and takes. Each is awaited, and what it throws crashes the consumer. */
export interface RebalanceListener {
  /** These partitions came. Nothing is read of them before this resolves: `seek` works in it. */
  onPartitionsAssigned?(partitions: TopicPartition[]): Promise<void> | void
  /**
   * These partitions go. Their handlers have ended, or the rebalance timeout has; what was handled is committed.
   * Until this resolves they are this consumer's, and `commitOffsets` works.
   */
  onPartitionsRevoked?(partitions: TopicPartition[]): Promise<void> | void
  /** These partitions are another's already, without a commit. Default: `onPartitionsRevoked`. */
  onPartitionsLost?(partitions: TopicPartition[]): Promise<void> | void
}

/** What `run` is given. */
export interface ConsumerRunConfig extends RebalanceListener {
  /** Handles the messages of a partition one by one, in order. */
  eachMessage?: EachMessageHandler | null
  /** Handles what one fetch has brought from a partition. */
  eachBatch?: EachBatchHandler | null
  /** With `eachBatch`: all of a batch counts as handled when its handler has ended. Default true. */
  eachBatchAutoResolve?: boolean
  /** Commit what was handled, after each batch and before partitions go. Default true. */
  autoCommit?: boolean
  /** Within a batch, commit when so many milliseconds have passed since the last time. Default null: never. */
  autoCommitInterval?: number | null
  /** Within a batch, commit when so many offsets are resolved and not committed. Default null: never. */
  autoCommitThreshold?: number | null
  /** How many partitions are handled at a time. Default 1. */
  partitionsConsumedConcurrently?: number
  /** Aborted, it stops the consumer, and `run` rejects with its reason where the group is not joined yet. */
  signal?: AbortSignal
}

/** What is told of a batch. Offsets and lags are decimal strings. */
export interface BatchProcessEvent extends TopicPartition {
  /** The partition's end: the offset that its next record gets. */
  highWatermark: string
  /** How many offsets lie behind the batch. */
  offsetLag: string
  /** How many lie behind its first message. */
  offsetLagLow: string
  /** How many messages it has. */
  batchSize: number
  /** Null where it has none. */
  firstOffset: string | null
  lastOffset: string
}

/** What the payload of each event is. Durations are in milliseconds. */
export interface ConsumerEventPayloads {
  /** The consumer is alive: at most once every `heartbeatInterval`. */
  HEARTBEAT: { groupId: string; memberId: string; groupGenerationId: number }
  /** Offsets were committed, and are stored. */
  COMMIT_OFFSETS: OffsetsByTopicPartition & { groupId: string; memberId: string; groupGenerationId: number }
  /** A new assignment, the first or a later one, is in force. */
  GROUP_JOIN: {
    groupId: string
    memberId: string
    /** The member or the node that coordinates the group. */
    leaderId: string
    isLeader: boolean
    /** The assignor. */
    groupProtocol: string
    /** The partitions of each topic. */
    memberAssignment: Record<string, number[]>
    /** Since the consumer began to join, or since `REBALANCING`. */
    duration: number
  }
  /** The log is asked for records. There is one node, 0. */
  FETCH_START: { nodeId: number }
  /** It has answered. */
  FETCH: { nodeId: number; numberOfBatches: number; duration: number }
  /** A batch goes to its handler, whole or message by message. */
  START_BATCH_PROCESS: BatchProcessEvent
  /** Its handler has ended. */
  END_BATCH_PROCESS: BatchProcessEvent & { duration: number }
  /** `connect()` is done. */
  CONNECT: null
  /** `disconnect()` is done, or the consumer crashed. */
  DISCONNECT: null
  /** Nothing is consumed any more: by `stop()`, or by a crash. */
  STOP: null
  /** Consuming ended with an error; `restart` says whether it begins again by itself. */
  CRASH: { error: Error; groupId: string; restart: boolean }
  /** The group shares its partitions anew; told once until `GROUP_JOIN`. */
  REBALANCING: { groupId: string; memberId: string }
  /** The assignment holds topics that this consumer is not subscribed to; they are not read. */
  RECEIVED_UNSUBSCRIBED_TOPICS: {
    groupId: string
    generationId: number
    memberId: string
    assignedTopics: string[]
    topicsSubscribed: string[]
    topicsNotSubscribed: string[]
  }
  /** Every `lagInterval`: how many offsets are not handled, for each partition of which the end is known. */
  LAG: { groupId: string; partitions: (TopicPartition & { lag: string })[] }
  /** A handler has run for `stallTimeout`, with what it handles; told once a handler. */
  STALLED: { groupId: string; topic: string; partition: number; offset: string | null; duration: number }
}

/** A consumer's events. */
export const CONSUMER_EVENTS = {
  HEARTBEAT: 'consumer.heartbeat',
  COMMIT_OFFSETS: 'consumer.commit_offsets',
  GROUP_JOIN: 'consumer.group_join',
  FETCH_START: 'consumer.fetch_start',
  FETCH: 'consumer.fetch',
  START_BATCH_PROCESS: 'consumer.start_batch_process',
  END_BATCH_PROCESS: 'consumer.end_batch_process',
  CONNECT: 'consumer.connect',
  DISCONNECT: 'consumer.disconnect',
  STOP: 'consumer.stop',
  CRASH: 'consumer.crash',
  REBALANCING: 'consumer.rebalancing',
  RECEIVED_UNSUBSCRIBED_TOPICS: 'consumer.received_unsubscribed_topics',
  LAG: 'consumer.lag',
  STALLED: 'consumer.stalled',
  REQUEST: 'consumer.network.request',
  REQUEST_TIMEOUT: 'consumer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'consumer.network.request_queue_size',
} as const

/** Names of a consumer's events. */
export type ConsumerEvents = typeof CONSUMER_EVENTS

/** Emits an event of a consumer. */
export type EmitConsumerEvent = <Name extends keyof ConsumerEventPayloads>(
  name: Name,
  payload: ConsumerEventPayloads[Name],
) => void
