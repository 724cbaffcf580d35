import type { TopicDescription } from '../native/types.ts'
import { Client } from './client.ts'
import {
  CONSUMER_EVENTS,
  type ConsumerEvents,
  type ConsumerRunConfig,
  type TopicPartitionOffset,
  type TopicPartitionOffsetAndMetadata,
  type TopicPartitions,
} from './consuming.ts'
import { KafkaJSNonRetriableError, KafkaJSNotImplemented } from './errors.ts'
import { type RetryOptions, retryOptions } from './retry.ts'
import { Runner } from './runner.ts'
import type { Connection, Shared } from './shared.ts'
import { validateOffsets, validatePartitions, validateSeek, validateSubscription } from './validate.ts'

/** How a consumer is made. */
export interface ConsumerConfig {
  /** Consumers of one group share its work; in this version one of them has it all, and the others wait. */
  groupId: string
  /** How much one fetch reads, in bytes. Default 1 MiB. */
  maxBytesPerPartition?: number
  retry?: RetryOptions
  /** Must exceed `heartbeatInterval`; otherwise accepted and ignored. Default 30000. */
  sessionTimeout?: number
  /** How often HEARTBEAT is emitted at most, in milliseconds: the group's lock tells who is alive. Default 3000. */
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
  /** Names, and patterns for the names of topics that exist now. */
  topics: (string | RegExp)[]
  /** Begin at the first record where the group has committed nothing; otherwise at the end. Default false. */
  fromBeginning?: boolean
}

/** Reads records as a member of a group. */
export class Consumer extends Client {
  readonly events: ConsumerEvents = CONSUMER_EVENTS
  private readonly subscriptions = new Map<string, boolean>()
  private readonly bytesMax: number
  private readonly heartbeatInterval: number
  private readonly retry: Required<RetryOptions>
  private connection: Connection | undefined
  private runner: Runner | undefined
  private stopping: Promise<void> | undefined

  /** @internal */
  constructor(
    private readonly shared: Shared,
    private readonly config: ConsumerConfig,
  ) {
    super('Consumer', shared.logger, CONSUMER_EVENTS)
    const { groupId, heartbeatInterval = 3_000, sessionTimeout = 30_000 } = config
    if (typeof groupId !== 'string' || groupId === '') {
      throw new KafkaJSNonRetriableError('Consumer groupId must be a non-empty string.')
    }
    if (heartbeatInterval >= sessionTimeout) {
      throw new KafkaJSNonRetriableError(
        `Consumer heartbeatInterval (${heartbeatInterval}) must be lower than sessionTimeout (${sessionTimeout}). It is recommended to set heartbeatInterval to approximately a third of the sessionTimeout.`,
      )
    }
    this.bytesMax = config.maxBytesPerPartition ?? 1 << 20
    this.heartbeatInterval = heartbeatInterval
    this.retry = retryOptions(shared.retry, config.retry)
  }

  /** Opens the log. */
  async connect(): Promise<void> {
    await this.connected().node.call(() => undefined)
    this.emitter.emit(CONSUMER_EVENTS.CONNECT, null)
  }

  /** Stops, then lets go of the log. */
  async disconnect(): Promise<void> {
    await this.stop()
    this.connection?.release()
    this.connection = undefined
    this.emitter.emit(CONSUMER_EVENTS.DISCONNECT, null)
  }

  /** Adds topics to what the next `run` reads. */
  async subscribe(
    subscription: ConsumerSubscribeTopics | { topic: string | RegExp; fromBeginning?: boolean },
  ): Promise<void> {
    if (this.runner !== undefined) {
      throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running')
    }
    const wanted = validateSubscription(subscription)
    const existing = wanted.some((topic) => topic instanceof RegExp) ? await this.topics() : []
    const names = wanted.flatMap((topic) =>
      typeof topic === 'string' ? [topic] : existing.filter((name) => name.search(topic) >= 0),
    )
    for (const name of names) this.subscriptions.set(name, subscription.fromBeginning ?? false)
  }

  /**
   * Joins the group and reads. Resolves when the group is this consumer's, however long another has it, or when
   * it crashed. A second call while it runs is ignored.
   */
  async run(config: ConsumerRunConfig = {}): Promise<void> {
    if (config.eachBatch !== undefined && config.eachBatch !== null) {
      throw new KafkaJSNotImplemented('eachBatch is not in this version of headwater')
    }
    const { groupId } = this.config
    if (this.runner !== undefined) {
      this.log.warn('consumer#run was called, but the consumer is already running', { groupId })
      return
    }
    const runner = new Runner({
      node: this.connected().node,
      clientId: this.shared.clientId,
      groupId,
      subscriptions: new Map(this.subscriptions),
      bytesMax: this.bytesMax,
      heartbeatInterval: this.heartbeatInterval,
      retry: this.retry,
      config,
      emit: (name, payload) => this.emitter.emit(CONSUMER_EVENTS[name], payload),
      log: this.log,
      crashed: () => {
        if (this.runner === runner) this.runner = undefined
      },
    })
    this.runner = runner
    await runner.start()
  }

  /** Waits for the handler that runs, commits what it handled, and leaves the group. */
  stop(): Promise<void> {
    this.stopping ??= this.stopRunner().finally(() => {
      this.stopping = undefined
    })
    return this.stopping
  }

  /** Commits these offsets: each is the next to read. */
  async commitOffsets(offsets: TopicPartitionOffsetAndMetadata[] = []): Promise<void> {
    validateOffsets(offsets)
    await this.running().commit(offsets)
  }

  /** Reads on from an offset; '-1' is the end, '-2' the beginning. The last call wins. */
  seek(target: TopicPartitionOffset): void {
    validateSeek(target)
    this.running().seek(target.topic, Number(target.partition), BigInt(target.offset))
  }

  /** Stops reading partitions, until `resume`. */
  pause(topics: TopicPartitions[] = []): void {
    validatePartitions('pause', topics)
    this.running().pause(topics)
  }

  /** Reads paused partitions again. */
  resume(topics: TopicPartitions[] = []): void {
    validatePartitions('resume', topics)
    this.running().resume(topics)
  }

  /** The assigned partitions that are paused. */
  paused(): { topic: string; partitions: number[] }[] {
    return this.runner?.paused() ?? []
  }

  private connected(): Connection {
    this.connection ??= this.shared.connect()
    return this.connection
  }

  private running(): Runner {
    if (this.runner !== undefined) return this.runner
    const message = 'Consumer group was not initialized, consumer#run must be called first'
    throw new KafkaJSNonRetriableError(message)
  }

  private async stopRunner(): Promise<void> {
    const { runner } = this
    if (runner === undefined) return
    await runner.stop()
    if (this.runner === runner) this.runner = undefined
    this.emitter.emit(CONSUMER_EVENTS.STOP, null)
  }

  private async topics(): Promise<string[]> {
    const all = await this.connected().node.call((node) => node.listTopics())
    return (all as TopicDescription[]).map(({ name }) => name)
  }
}
