import type { KafkaMessage } from '../native/messages.ts'
import { KafkaJSNonRetriableError, KafkaJSNotImplemented } from './errors.ts'
import { Emitter, type InstrumentationEvent, type RemoveListener } from './events.ts'
import type { Shared } from './kafka.ts'
import type { Logger } from './logger.ts'
import type { NodeHandle } from './node.ts'
import { type RetryOptions, retryOptions } from './retry.ts'
import { Runner } from './runner.ts'
import { validateOffsets, validatePartitions, validateSeek, validateTopics } from './validate.ts'

/** How a consumer is made. */
export interface ConsumerConfig {
  /** Consumers of one group share its work; in this version one of them has it all, and the others wait. */
  groupId: string
  /** How much one fetch reads, in bytes. Default 1 MiB. */
  maxBytesPerPartition?: number
  retry?: RetryOptions
  /** Must exceed `heartbeatInterval`; otherwise accepted and ignored. Default 30000. */
  sessionTimeout?: number
  /** Accepted and ignored: the group's lock tells at once who is alive. Default 3000. */
  heartbeatInterval?: number
  /** Accepted and ignored. */
  rebalanceTimeout?: number
  /** Accepted and ignored: a topic is created at the first subscription to it. */
  allowAutoTopicCreation?: boolean
  /** Accepted and ignored: a fetch waits for a notice. */
  maxWaitTimeInMs?: number
}

/** What `subscribe` is given. */
export interface ConsumerSubscribeTopics {
  topics: string[]
  /** Begin at the first record where the group has committed nothing; otherwise at the end. Default false. */
  fromBeginning?: boolean
}

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

const EVENTS = {
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
export type ConsumerEvents = typeof EVENTS

const NOT_RUNNING = 'Consumer group was not initialized, consumer#run must be called first'

/** Reads records as a member of a group. */
export class Consumer {
  readonly events: ConsumerEvents = EVENTS
  private readonly log: Logger
  private readonly emitter: Emitter
  private readonly subscriptions = new Map<string, boolean>()
  private readonly bytesMax: number
  private readonly retry: Required<RetryOptions>
  private connection: { node: NodeHandle; release: () => void } | undefined
  private runner: Runner | undefined

  constructor(
    private readonly shared: Shared,
    private readonly config: ConsumerConfig,
  ) {
    const { groupId, heartbeatInterval = 3_000, sessionTimeout = 30_000, maxBytesPerPartition = 1 << 20 } = config
    if (typeof groupId !== 'string' || groupId === '') {
      throw new KafkaJSNonRetriableError('Consumer groupId must be a non-empty string.')
    }
    if (heartbeatInterval >= sessionTimeout) {
      throw new KafkaJSNonRetriableError(
        `Consumer heartbeatInterval (${heartbeatInterval}) must be lower than sessionTimeout (${sessionTimeout}). It is recommended to set heartbeatInterval to approximately a third of the sessionTimeout.`,
      )
    }
    this.bytesMax = maxBytesPerPartition
    this.retry = retryOptions(shared.retry, config.retry)
    this.log = shared.logger.namespace('Consumer')
    this.emitter = new Emitter('consumer', EVENTS, this.log)
  }

  async connect(): Promise<void> {
    this.connection ??= this.shared.connect()
    await this.connection.node.call(() => undefined)
    this.emitter.emit(EVENTS.CONNECT, null)
  }

  /** Stops, then lets go of the log. */
  async disconnect(): Promise<void> {
    await this.stop()
    this.connection?.release()
    this.connection = undefined
    this.emitter.emit(EVENTS.DISCONNECT, null)
  }

  /** Adds topics to what the next `run` reads. */
  async subscribe(subscription: ConsumerSubscribeTopics | { topic: string; fromBeginning?: boolean }): Promise<void> {
    if (this.runner !== undefined) {
      throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running')
    }
    for (const topic of validateTopics(subscription)) {
      this.subscriptions.set(topic, subscription.fromBeginning ?? false)
    }
  }

  /**
   * Joins the group and reads. Resolves when the group is this consumer's, however long another has it.
   * A second call while it runs is ignored.
   */
  async run(config: ConsumerRunConfig = {}): Promise<void> {
    if (config.eachBatch !== undefined) throw new KafkaJSNotImplemented('eachBatch is not in this version of headwater')
    if (this.runner !== undefined) {
      this.log.warn('consumer#run was called, but the consumer is already running', { groupId: this.config.groupId })
      return
    }
    this.connection ??= this.shared.connect()
    const runner = new Runner({
      node: this.connection.node,
      groupId: this.config.groupId,
      subscriptions: new Map(this.subscriptions),
      bytesMax: this.bytesMax,
      retry: this.retry,
      config,
      emit: (name, payload) => this.emitter.emit(EVENTS[name], payload),
      log: this.log,
      crashed: () => {
        if (this.runner === runner) this.runner = undefined
      },
    })
    this.runner = runner
    await runner.start()
  }

  /** Waits for the handler that runs, commits what it handled, and leaves the group. */
  async stop(): Promise<void> {
    const runner = this.runner
    this.runner = undefined
    if (runner !== undefined) await runner.stop()
    this.emitter.emit(EVENTS.STOP, null)
  }

  /** Commits these offsets: each is the next to read. */
  async commitOffsets(offsets: TopicPartitionOffsetAndMetadata[]): Promise<void> {
    validateOffsets(offsets)
    if (this.runner === undefined) throw new KafkaJSNonRetriableError(NOT_RUNNING)
    await this.runner.commit(offsets)
  }

  /** Reads on from an offset; '-1' is the end, '-2' the beginning. The last call wins. */
  seek(target: TopicPartitionOffset): void {
    validateSeek(target)
    if (this.runner === undefined) throw new KafkaJSNonRetriableError(NOT_RUNNING)
    this.runner.seek(target.topic, target.partition, BigInt(target.offset))
  }

  /** Stops reading partitions, until `resume`. */
  pause(topics: TopicPartitions[] = []): void {
    validatePartitions('pause', topics)
    if (this.runner === undefined) throw new KafkaJSNonRetriableError(NOT_RUNNING)
    this.runner.pause(topics)
  }

  /** Reads paused partitions again. */
  resume(topics: TopicPartitions[] = []): void {
    validatePartitions('resume', topics)
    if (this.runner === undefined) throw new KafkaJSNonRetriableError(NOT_RUNNING)
    this.runner.resume(topics)
  }

  /** The paused partitions. */
  paused(): { topic: string; partitions: number[] }[] {
    return this.runner?.paused() ?? []
  }

  on<Payload = unknown>(name: string, listener: (event: InstrumentationEvent<Payload>) => unknown): RemoveListener {
    return this.emitter.on(name, listener)
  }

  logger(): Logger {
    return this.log
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect()
  }
}

/** @internal */
export type EventName = keyof ConsumerEvents
