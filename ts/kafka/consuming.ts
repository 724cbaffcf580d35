import type { KafkaMessage } from '../native/messages.ts'

/** What a handler is given. */
export interface EachMessagePayload {
  topic: string
  partition: number
  message: KafkaMessage
  /** Not needed here; accepted, so that KafkaJS code moves unchanged. */
  heartbeat(): Promise<void>
  /** Pauses this partition; answers what resumes it. */
  pause(): () => void
}

/** Handles one message. */
export type EachMessageHandler = (payload: EachMessagePayload) => Promise<void>

/** What `run` is given. */
export interface ConsumerRunConfig {
  eachMessage?: EachMessageHandler
  /** Not in this version. */
  eachBatch?: unknown
  /** Commit what was handled. Default true. */
  autoCommit?: boolean
  /** Commit at least so often, in milliseconds, and after each fetched batch. */
  autoCommitInterval?: number | null
  /** Commit after so many messages, and after each fetched batch. */
  autoCommitThreshold?: number | null
  /** One at a time in this version. */
  partitionsConsumedConcurrently?: number
}

/** A partition and the offset to go on with. */
export interface TopicPartitionOffset {
  topic: string
  partition: number
  offset: string
}

/** The same with metadata. */
export interface TopicPartitionOffsetAndMetadata extends TopicPartitionOffset {
  metadata?: string | null
}

/** Partitions of a topic; all of them where none is named. */
export interface TopicPartitions {
  topic: string
  partitions?: number[]
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
  REQUEST: 'consumer.network.request',
  REQUEST_TIMEOUT: 'consumer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'consumer.network.request_queue_size',
} as const

/** Names of a consumer's events. */
export type ConsumerEvents = typeof CONSUMER_EVENTS
