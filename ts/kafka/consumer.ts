import type { CallOptions } from './admin.ts'
import { Client } from './client.ts'
import { type ConsumerConfig, liveness, runnerOptions } from './configured.ts'
import {
  CONSUMER_EVENTS,
  type ConsumerEventPayloads,
  type ConsumerEvents,
  type ConsumerRunConfig,
  type GivenOffset,
  keyOf,
  type TopicPartition,
  type TopicPartitionOffset,
  type TopicPartitionOffsetAndMetadata,
  type TopicPartitions,
} from './consuming.ts'
import { KafkaJSNonRetriableError } from './errors.ts'
import type { GroupDescription } from './groups.ts'
import { late } from './loading.ts'
import { lags } from './monitor.ts'
import { Runner } from './runner.ts'
import type { ManualAssignment } from './session.ts'
import type { Connection, Shared } from './shared.ts'
import { abortable } from './signal.ts'
import { MessageStream, type StreamOptions } from './stream.ts'
import { Subscription } from './subscription.ts'
import {
  long,
  validateFunctions,
  validateNumbers,
  validateOffsets,
  validateOwner,
  validatePartitions,
  validatePlaces,
  validateSeek,
  validateSubscription,
} from './validate.ts'

/** What of a configuration is a number. */
const NUMBERS = [
  'sessionTimeout',
  'heartbeatInterval',
  'rebalanceTimeout',
  'maxBytesPerPartition',
  'maxBytes',
  'minBytes',
  'maxWaitTimeInMs',
  'stallTimeout',
  'lagInterval',
]

/** What of what `run` is given is a function. */
const HANDLERS = [
  'eachMessage',
  'eachBatch',
  'onPartitionsAssigned',
  'onPartitionsRevoked',
  'onPartitionsLost',
]

/** What `subscribe` is given. */
export interface ConsumerSubscribeTopics {
  /** Names, and patterns for names: topics that come later too. */
  topics: (string | RegExp)[]
  /**
   * Begin at the first record where the group has committed nothing; otherwise at the end. A topic that comes while
   * the consumer runs, and matches a pattern, is read from its first record. Default false.
   */
  fromBeginning?: boolean
}

/** How long to wait. */
export interface WaitOptions {
  /** Aborted, it ends the wait: handlers that still run are left behind, and what they do is not committed. */
  signal?: AbortSignal
}

/** Reads records as a member of a group, or from partitions that it is told. */
export class Consumer extends Client<ConsumerEvents, ConsumerEventPayloads> {
  readonly events: ConsumerEvents = CONSUMER_EVENTS
  readonly groupId: string
  private readonly subscription = new Subscription()
  private readonly options: Omit<Parameters<typeof runnerOptions>[0], 'run' | 'node'>
  private manual: ManualAssignment[] | undefined
  private connection: Connection | undefined
  private runner: Runner | undefined
  private stopping: Promise<void> | undefined
  private readiness = new Readiness()

  /** @internal */
  constructor(
    private readonly shared: Shared,
    config: ConsumerConfig,
  ) {
    super('Consumer', shared.logger, CONSUMER_EVENTS)
    const { groupId } = config
    const { heartbeatInterval, sessionTimeout } = liveness(config)
    if (typeof groupId !== 'string' || groupId === '') {
      throw new KafkaJSNonRetriableError('Consumer groupId must be a non-empty string.')
    }
    validateOwner(groupId)
    validateNumbers(config, NUMBERS)
    const { groupInstanceId = null } = config
    if (groupInstanceId !== null && (typeof groupInstanceId !== 'string' || groupInstanceId === '')) {
      throw new KafkaJSNonRetriableError('Consumer groupInstanceId must be a non-empty string.')
    }
    if (heartbeatInterval >= sessionTimeout) {
      throw new KafkaJSNonRetriableError(
        `Consumer heartbeatInterval (${heartbeatInterval}) must be lower than sessionTimeout (${sessionTimeout}). It is recommended to set heartbeatInterval to approximately a third of the sessionTimeout.`,
      )
    }
    this.groupId = groupId
    const { subscription, log } = this
    const emit = <Name extends keyof ConsumerEventPayloads>(
      name: Name,
      payload: ConsumerEventPayloads[Name],
    ) => this.emitter.emit(CONSUMER_EVENTS[name], payload)
    this.options = { config, shared, subscription, log, emit }
  }

  /** Opens the log. */
  async connect({ signal }: CallOptions = {}): Promise<void> {
    await abortable(signal, () => this.connected().node.call(() => undefined))
    this.emitter.emit(CONSUMER_EVENTS.CONNECT, null)
  }

  /** Stops, then lets go of the log. */
  async disconnect(options?: WaitOptions): Promise<void> {
    await this.stop(options)
    this.connection?.release()
    this.connection = undefined
    this.emitter.emit(CONSUMER_EVENTS.DISCONNECT, null)
  }

  /**
   * Adds topics to what the next `run` reads.
   * @throws KafkaJSNonRetriableError while it runs: `updateSubscription` works then
   */
  async subscribe(
    subscription: ConsumerSubscribeTopics | { topic: string | RegExp; fromBeginning?: boolean },
  ): Promise<void> {
    if (this.runner !== undefined) {
      throw new KafkaJSNonRetriableError('Cannot subscribe to topic while consumer is running')
    }
    const topics = validateSubscription(subscription)
    this.beSubscribed()
    this.subscription.add(topics, subscription.fromBeginning ?? false)
  }

  /** Replaces the whole subscription, also while it runs. The partitions follow, as `onPartitionsAssigned` tells. */
  async updateSubscription(subscription: ConsumerSubscribeTopics): Promise<void> {
    const topics = validateSubscription(subscription)
    this.beSubscribed()
    this.subscription.clear()
    this.subscription.add(topics, subscription.fromBeginning ?? false)
    await this.runner?.resubscribe()
  }

  /** Reads nothing any more, and stays in the group if it runs. */
  async unsubscribe(): Promise<void> {
    this.subscription.clear()
    if (this.manual !== undefined) await this.runner?.assign([])
    else await this.runner?.resubscribe()
    if (this.runner === undefined) this.manual = undefined
  }

  /**
   * Reads exactly these partitions, from `offset` ('-1' is the end, '-2' the beginning) or else from what the group
   * has committed, or else from where `fromBeginning` says. Nobody else is asked: no group, no rebalance.
   * Commits are stored for `groupId`, as long as it has no members. While it runs, this replaces what is read.
   * @throws KafkaJSNonRetriableError where there is a subscription
   */
  async assign(
    partitions: (TopicPartition & { offset?: string })[],
    { fromBeginning = false }: { fromBeginning?: boolean } = {},
  ): Promise<void> {
    for (const { topic, partition, offset = '0' } of partitions) validateSeek({ topic, partition, offset })
    if (!this.subscription.isEmpty || (this.runner !== undefined && this.manual === undefined)) {
      throw new KafkaJSNonRetriableError(
        'This consumer has a subscription: call stop() and unsubscribe() before assign(), or use another consumer',
      )
    }
    this.manual = partitions.map((each) => ({ ...each, partition: Number(each.partition), fromBeginning }))
    await this.runner?.assign(this.manual)
  }

  /**
   * Joins the group and reads. Resolves when it has joined and has its first partitions, which may be none, or
   * when it crashed or was stopped before. A second call while it runs is ignored.
   */
  async run(config: ConsumerRunConfig = {}): Promise<void> {
    const { groupId } = this
    if (this.runner !== undefined) {
      this.log.warn('consumer#run was called, but the consumer is already running', { groupId })
      return
    }
    const { eachMessage, eachBatch } = config
    validateRun(config)
    if (!eachMessage && !eachBatch) {
      this.log.warn('consumer#run was called without eachMessage and eachBatch: nothing is read', { groupId })
    }
    this.begin(config)
    const { ready } = this
    await ready.catch(() => config.signal?.throwIfAborted())
  }

  /**
   * Messages one by one, read when they are asked for. It joins at the first `next`; leaving the loop leaves the
   * group. Messages count as handled, and are committed, when the next is asked for.
   * @throws KafkaJSNonRetriableError where the consumer runs already
   */
  stream(options: StreamOptions = {}): MessageStream {
    this.beIdle('stream()')
    validateRun(options)
    return new MessageStream(
      (config) => {
        this.beIdle('stream()')
        return this.begin(config)
      },
      () => this.stop(),
      options,
    )
  }

  /**
   * Resolves when the consumer has joined and has its first partitions, which may be none. Before `run`, it waits
   * for that. Rejects where the consumer is stopped, or crashes for good, before it has joined.
   */
  get ready(): Promise<void> {
    return this.readiness.promise
  }

  /**
   * Waits for the handlers that run, for `rebalanceTimeout` at most, commits what they handled, and leaves the group. A
   * handler must not await it.
   */
  stop({ signal }: WaitOptions = {}): Promise<void> {
    const stopping =
      this.stopping ??
      this.stopRunner(signal).finally(() => {
        this.stopping = undefined
      })
    this.stopping = stopping
    return stopping
  }

  /**
   * Commits these offsets: each is the next to read. Without any, what was handled and is not committed. Waits for the
   * first join where `run` was not awaited.
   */
  async commitOffsets(offsets: GivenOffset[] = [], { signal }: CallOptions = {}): Promise<void> {
    validateOffsets(offsets)
    const runner = this.running()
    const topics = offsets.map(({ topic, offset, ...rest }) => ({
      topic,
      partitions: [{ ...rest, offset: String(offset) }],
    }))
    await abortable(signal, async () => {
      if (!runner.began) await runner.ready
      await runner.current().commit(topics.length === 0 ? undefined : { topics })
    })
  }

  /** Reads on from an offset; '-1' is the end, '-2' the beginning. The last call wins. */
  seek(target: Omit<GivenOffset, 'metadata'>): void {
    validateSeek(target)
    const { topic, partition, offset } = target
    this.running().seek({ topic, partition: Number(partition) }, BigInt(offset))
  }

  /** Stops reading partitions, until `resume`. */
  pause(topics: TopicPartitions[] = []): void {
    validatePartitions('pause', topics)
    const { pauses, session } = this.running()
    const places = pauses.pause(topics)
    session?.tune(places)
  }

  /** Reads paused partitions again. */
  resume(topics: TopicPartitions[] = []): void {
    validatePartitions('resume', topics)
    const { pauses, session } = this.running()
    const places = pauses.resume(topics)
    session?.tune(places)
  }

  /** The assigned partitions that are paused. */
  paused(): { topic: string; partitions: number[] }[] {
    return this.runner?.pauses.list() ?? []
  }

  /** The partitions that this consumer reads now. */
  assignment(): TopicPartition[] {
    return this.runner?.session?.assignment.places() ?? []
  }

  /**
   * The next offset that a handler will be given.
   * @throws KafkaJSNonRetriableError where the partition is not assigned to this consumer
   */
  position(place: TopicPartition): string {
    const position = this.running().session?.position(place)
    if (position !== undefined) return String(position)
    const message = `${keyOf(place)} is not assigned to this consumer: assignment() tells what is`
    throw new KafkaJSNonRetriableError(message)
  }

  /** What the group has committed for these partitions, or for the assigned ones; '-1' where it has nothing. */
  async committed(
    partitions: TopicPartition[] = this.assignment(),
    { signal }: CallOptions = {},
  ): Promise<TopicPartitionOffsetAndMetadata[]> {
    validatePlaces(partitions)
    return abortable(signal, async () => {
      const { committedOf } = await late()
      return committedOf(this.connected().node, this.groupId, partitions)
    })
  }

  /** The first offset of each partition. */
  async beginningOffsets(
    partitions: TopicPartition[] = this.assignment(),
    { signal }: CallOptions = {},
  ): Promise<TopicPartitionOffset[]> {
    validatePlaces(partitions)
    return this.ends(partitions, 'low', signal)
  }

  /** The next offset to be written of each partition. */
  async endOffsets(
    partitions: TopicPartition[] = this.assignment(),
    { signal }: CallOptions = {},
  ): Promise<TopicPartitionOffset[]> {
    validatePlaces(partitions)
    return this.ends(partitions, 'high', signal)
  }

  /** The first offset at or after `timestamp`, in milliseconds since 1970, or the end where there is none. */
  async offsetsForTimes(
    partitions: (TopicPartition & { timestamp: number | string })[],
    { signal }: CallOptions = {},
  ): Promise<TopicPartitionOffset[]> {
    validatePlaces(partitions)
    const times = partitions.map(({ timestamp }) => long(timestamp, 'timestamp'))
    const { node } = this.connected()
    const find = async ({ topic, partition }: TopicPartition, index: number) => {
      const offset = await node.call((open) => open.offsetAt(topic, partition, times[index] ?? -1n))
      return { topic, partition, offset: String(offset) }
    }
    return abortable(signal, () => Promise.all(partitions.map(find)))
  }

  /** How many offsets are not handled yet, of each assigned partition. */
  async currentLag({ signal }: CallOptions = {}): Promise<(TopicPartition & { lag: string })[]> {
    const { session } = this.running()
    const found =
      session === undefined ? [] : await abortable(signal, () => lags(session, this.connected().node))
    return found.map(({ lag, ...place }) => ({ ...place, lag: String(lag) }))
  }

  /** The group, as `admin.describeGroups` has it. */
  async describeGroup({ signal }: CallOptions = {}): Promise<GroupDescription> {
    return abortable(signal, async () => {
      const { Groups } = await late()
      return new Groups(this.connected().node).describeOne(this.groupId)
    })
  }

  private ends(
    places: TopicPartition[],
    end: 'low' | 'high',
    signal: AbortSignal | undefined,
  ): Promise<TopicPartitionOffset[]> {
    return abortable(signal, async () => {
      const { endsOf } = await late()
      return endsOf(this.connected().node, places, end)
    })
  }

  private begin(run: ConsumerRunConfig): Runner {
    const runner: Runner = new Runner({
      ...runnerOptions({ ...this.options, run, node: this.connected().node }),
      manual: this.manual,
      crashed: () => {
        if (this.runner === runner) this.runner = undefined
      },
    })
    this.runner = runner
    const { readiness } = this
    runner.ready = runner.start()
    runner.ready.then(readiness.resolve, readiness.reject)
    runner.over.finally(() => {
      if (this.readiness === readiness) this.readiness = new Readiness()
    })
    return runner
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

  private beIdle(call: string): void {
    if (this.runner === undefined) return
    throw new KafkaJSNonRetriableError(
      `${call} on a consumer that runs: one consumer has one reader, so call stop() first or use another consumer`,
    )
  }

  private beSubscribed(): void {
    if (this.manual === undefined) return
    const message =
      'This consumer reads what assign() named: call unsubscribe() first, or use another consumer'
    throw new KafkaJSNonRetriableError(message)
  }

  private async stopRunner(signal: AbortSignal | undefined): Promise<void> {
    const { runner } = this
    if (runner === undefined) return
    await runner.stop(signal)
    if (this.runner === runner) this.runner = undefined
    this.emitter.emit(CONSUMER_EVENTS.STOP, null)
  }
}

/** Checks what `run` and `stream` are given. */
function validateRun(config: ConsumerRunConfig): void {
  validateNumbers(config, ['partitionsConsumedConcurrently'], 1)
  for (const name of ['autoCommitInterval', 'autoCommitThreshold'] as const) {
    if (config[name] !== null) validateNumbers(config, [name])
  }
  validateFunctions(config, HANDLERS)
}

/** A promise of the first join. Nobody need listen to it. */
class Readiness {
  resolve: () => void = () => undefined
  reject: (error: unknown) => void = () => undefined
  readonly promise = new Promise<void>((resolve, reject) => {
    this.resolve = resolve
    this.reject = reject
  })

  constructor() {
    this.promise.catch(() => undefined)
  }
}
