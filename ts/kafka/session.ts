import type { Fetched, Rebalance } from '../native/types.ts'
import { type Assigned, Assignment, byTopicPartition } from './assignment.ts'
import { Batch, type Intercept } from './batch.ts'
import type {
  ConsumerRunConfig,
  EmitConsumerEvent,
  OffsetsByTopicPartition,
  TopicPartition,
  TopicPartitionOffsetAndMetadata,
} from './consuming.ts'
import { fromNative, type KafkaJSError } from './errors.ts'
import { type Around, handleBatch, handleMessages, Work } from './handler.ts'
import type { Logger } from './logger.ts'
import type { Pauses } from './pauses.ts'
import { type RetryOptions, retryTime } from './retry.ts'
import type { Member } from './running.ts'
import { Turns, Waits } from './waits.ts'

/** What a session works with. */
export interface SessionOptions {
  readonly groupId: string
  readonly config: ConsumerRunConfig
  readonly retry: Required<RetryOptions>
  readonly bytesMax: number
  readonly minBytes: number
  readonly maxWaitTimeInMs: number
  /** How often HEARTBEAT may be told. */
  readonly heartbeatInterval: number
  readonly rebalanceTimeout: number
  readonly assignor: string
  readonly intercept: Intercept | undefined
  readonly committed: (offsets: OffsetsByTopicPartition) => void
  readonly emit: EmitConsumerEvent
  readonly log: Logger
  readonly pauses: Pauses
  /** Seeks from before their partitions were assigned, by partition. */
  readonly seeks: Map<string, TopicPartition & { offset: bigint }>
  /** The topics that are subscribed. */
  readonly topics: () => string[]
  /** What to read where the group has no say. */
  readonly manual: ManualAssignment[] | undefined
}

/** A partition that the application takes by itself. */
export interface ManualAssignment extends TopicPartition {
  /** Where to begin; what the group has committed where there is none. */
  offset?: string
  /** Where to begin if there is neither. */
  fromBeginning: boolean
}

/** One membership: what is assigned, fetched, handled and committed between a join and a leave. */
export class Session implements Around {
  readonly assignment: Assignment = new Assignment()
  readonly works: Set<Work> = new Set()
  memberId = ''
  epoch = 0
  /** Counts handled batches, for whoever watches over progress. */
  progress = 0
  /** When this member began to look for its partitions. */
  private began = Date.now()
  private readonly waits = new Waits()
  private readonly committing = new Turns()
  private stepping: Promise<void> = Promise.resolve()
  private failure: KafkaJSError | undefined
  /** Fetches that failed one after the other. */
  private failedFetches = 0
  /** Counts what makes fetched records stale. */
  private moment = 0
  private committedAt = Date.now()
  private heartbeatAt = 0
  private rebalancing = true
  readonly config: ConsumerRunConfig
  readonly retry: Required<RetryOptions>
  readonly log: Logger
  readonly offsets: Around['offsets'] = {
    commitOffsetsIfNecessary: (offsets?: OffsetsByTopicPartition) =>
      offsets === undefined ? this.commitIfDue() : this.commit(offsets),
    uncommittedOffsets: () => this.assignment.uncommitted(),
  }

  constructor(
    private readonly options: SessionOptions,
    private readonly member: Member,
  ) {
    this.config = options.config
    this.retry = options.retry
    this.log = options.log
  }

  get running(): boolean {
    return !this.waits.over
  }

  /**
   * Joins, and works until {@link end}. `joined` is called with each assignment that has come into force.
   * @throws KafkaJSError what ended it otherwise
   */
  async run(joined: () => void): Promise<void> {
    try {
      if (this.options.manual === undefined) {
        const joining = this.member.run((native) => native.join())
        this.follow(joined)
        await joining
      } else {
        await this.assign(this.options.manual)
        joined()
      }
      await this.fetchAll()
    } catch (error) {
      this.fail(error)
    }
    await Promise.all([...this.works].map(({ done }) => done))
    await this.within(this.stepping)
    await this.part(this.assignment.places(), false).catch((error: unknown) => this.fail(error))
    if (this.failure !== undefined) throw this.failure
  }

  /** Reads exactly these partitions, without a group's say; those that were read before go on where they are. */
  async assign(wanted: ManualAssignment[]): Promise<void> {
    const has = (list: TopicPartition[], place: TopicPartition) =>
      list.some(({ topic, partition }) => topic === place.topic && partition === place.partition)
    const { assignment, options } = this
    await this.part(
      assignment.places().filter((place) => !has(wanted, place)),
      false,
    )
    this.moment += 1
    const added = wanted.filter((place) => assignment.get(place) === undefined)
    for (const place of added) assignment.add(place, this.moment)
    try {
      await this.member.run((native) => {
        // What a fetch from before brings would look stale.
        native.wake()
        return native.assign(wanted)
      })
    } catch (error) {
      for (const place of added) assignment.delete(place)
      throw error
    }
    this.tune(options.pauses.assigned(assignment.byTopic()))
    this.seekAll()
  }

  /** Hands out nothing more; handlers that run end by themselves. */
  end(): void {
    this.waits.end()
    for (const work of this.works) work.halt()
    this.member.tell((native) => native.wake())
  }

  private fail(error: unknown): void {
    if (!this.running && this.failure === undefined) {
      this.log.debug(`Stopped although: ${fromNative(error).message}`, { groupId: this.options.groupId })
    } else this.failure ??= fromNative(error)
    this.end()
  }

  seek(place: TopicPartition, offset: bigint): boolean {
    const assigned = this.assignment.get(place)
    if (assigned === undefined) return false
    this.moment += 1
    assigned.since = this.moment
    assigned.resolved = offset < 0n ? undefined : offset
    assigned.work?.discard()
    this.member.tell((native) => {
      // What a waiting fetch brought from now on would look stale.
      native.wake()
      native.seek(place.topic, place.partition, offset)
    })
    return true
  }

  /** Tells the wasm which of these partitions it is to read. */
  tune(places: TopicPartition[]): void {
    const { pauses, config } = this.options
    for (const place of places) {
      const { topic, partition } = place
      const assigned = this.assignment.get(place)
      if (assigned === undefined) continue
      // One partition is never handled twice at a time.
      const busy = assigned.work !== undefined && (config.partitionsConsumedConcurrently ?? 1) > 1
      const paused = busy || pauses.has(topic, partition)
      this.member.tell((native) =>
        paused ? native.pause(topic, partition) : native.resume(topic, partition),
      )
    }
  }

  isPaused({ topic, partition }: TopicPartition): boolean {
    return this.options.pauses.has(topic, partition)
  }

  pause({ topic, partition }: TopicPartition): () => void {
    const { pauses } = this.options
    const places = [{ topic, partitions: [partition] }]
    this.tune(pauses.pause(places))
    return () => this.tune(pauses.resume(places))
  }

  /** The next offset that a handler will be given. */
  position(place: TopicPartition): bigint | undefined {
    const assigned = this.assignment.get(place)
    const { work, resolved } = assigned ?? {}
    if (resolved !== undefined) return resolved
    if (work !== undefined && !work.stale) return work.batch.first
    return assigned && this.member.ask((native) => native.position(place.topic, place.partition))
  }

  /** The group shares its partitions anew; told once until the next assignment is in force. */
  tellRebalancing(): void {
    const { emit, groupId } = this.options
    if (this.rebalancing) return
    this.rebalancing = true
    this.began = Date.now()
    emit('REBALANCING', { groupId, memberId: this.memberId })
  }

  heartbeat(): void {
    const { emit, groupId, heartbeatInterval } = this.options
    const now = Date.now()
    if (this.memberId === '' || now - this.heartbeatAt < heartbeatInterval) return
    this.heartbeatAt = now
    emit('HEARTBEAT', { groupId, memberId: this.memberId, groupGenerationId: this.epoch })
  }

  async commitIfDue(): Promise<void> {
    const { autoCommit, autoCommitInterval: interval, autoCommitThreshold: threshold } = this.config
    const byTime = typeof interval === 'number' && Date.now() - this.committedAt >= interval
    const byCount = () => typeof threshold === 'number' && this.assignment.countUncommitted() >= threshold
    if (autoCommit !== false && (byTime || byCount())) await this.autoCommit()
  }

  async autoCommit(): Promise<void> {
    if (this.config.autoCommit === false) return
    try {
      await this.commit()
    } catch (thrown) {
      const error = fromNative(thrown)
      if (this.isGone(error)) await this.commitEach()
      else this.uncommitted(error)
    }
  }

  /** A topic was deleted under its reader: what was handled of the others is committed all the same. */
  private async commitEach(): Promise<void> {
    for (const { topic, partitions } of this.assignment.uncommitted().topics) {
      for (const each of partitions) {
        const assigned = this.assignment.get({ topic, ...each })
        await this.commit({ topics: [{ topic, partitions: [each] }] }).catch((thrown: unknown) => {
          const error = fromNative(thrown)
          this.uncommitted(error)
          // The group will take it away: until then nothing of it is handled, or committed.
          if (this.isGone(error)) assigned?.lose()
        })
      }
    }
  }

  /** True where the group's partition is there no more, which is nothing to give up because of. */
  private isGone({ type }: KafkaJSError): boolean {
    return type === 'UNKNOWN_TOPIC_OR_PARTITION' && this.options.manual === undefined
  }

  /** They stay uncommitted, and go with the next commit; what this member has lost, another commits. */
  private uncommitted(error: KafkaJSError): void {
    this.log.warn(`Offsets were not committed: ${error.message}`, { groupId: this.options.groupId })
    if (!error.retriable && error.kind !== 'Fenced' && !this.isGone(error)) this.fail(error)
    if (error.type === 'UNKNOWN_MEMBER_ID' || error.type === 'FENCED_MEMBER_EPOCH') this.holdBack()
  }

  /** Commits these offsets, or what is resolved; one commit at a time, so that none overtakes another. */
  commit(offsets?: OffsetsByTopicPartition): Promise<void> {
    return this.committing.run(() => this.commitNow(offsets ?? this.assignment.uncommitted()))
  }

  /** The group has put this member out, and will say so: until then nothing is handled that others handle already. */
  private holdBack(): void {
    for (const assigned of this.assignment) assigned.hold()
  }

  private async commitNow(offsets: OffsetsByTopicPartition): Promise<void> {
    const { groupId, emit, committed } = this.options
    this.committedAt = Date.now()
    const list: TopicPartitionOffsetAndMetadata[] = offsets.topics.flatMap(({ topic, partitions }) =>
      partitions.map((each) => ({
        topic,
        ...each,
        partition: Number(each.partition),
        offset: String(each.offset),
      })),
    )
    if (list.length === 0) return
    await this.member.run((native) => native.commit(list))
    const done = byTopicPartition(list.map(({ topic, partition, offset }) => ({ topic, partition, offset })))
    this.assignment.commit(done)
    committed(done)
    emit('COMMIT_OFFSETS', { groupId, memberId: this.memberId, groupGenerationId: this.epoch, ...done })
  }

  /** Fetches, and hands what comes to as many handlers as may run. */
  private async fetchAll(): Promise<void> {
    const { eachMessage, eachBatch, partitionsConsumedConcurrently: most = 1 } = this.config
    // Nobody handles what would be read.
    if (!eachMessage && !eachBatch) return this.waits.sleep()
    while (this.running) {
      if (this.works.size >= most) await Promise.race([...this.works].map(({ done }) => done))
      else await this.fetch()
    }
  }

  private async fetch(): Promise<void> {
    const { emit, bytesMax, minBytes, maxWaitTimeInMs, intercept } = this.options
    const { moment } = this
    const start = Date.now()
    emit('FETCH_START', { nodeId: 0 })
    const fetched = await this.member
      .run((native) => native.fetch(bytesMax, minBytes, maxWaitTimeInMs) as Promise<Fetched | undefined>)
      .then(
        (fetched) => {
          this.failedFetches = 0
          return fetched
        },
        (thrown: unknown) => this.fetchFailed(thrown),
      )
    emit('FETCH', { nodeId: 0, numberOfBatches: fetched === undefined ? 0 : 1, duration: Date.now() - start })
    if (fetched === undefined) return this.heartbeat()
    const assigned = this.assignment.get(fetched)
    // Meanwhile it was sought, or taken away: it is read again where and by whom it is wanted.
    if (assigned === undefined || assigned.since > moment || !this.running) return
    assigned.end = fetched.highWatermark
    const batch = new Batch(fetched, intercept)
    if (this.isPaused(fetched)) return this.goOn(assigned, batch.first)
    assigned.from ??= batch.first
    this.begin(new Work(assigned, batch))
  }

  /** Storage that another tab keeps busy, say, is no reason to leave the group: it is read again after a while. */
  private async fetchFailed(thrown: unknown): Promise<undefined> {
    const error = fromNative(thrown)
    if (error.type !== 'STORAGE_FAILED' || this.failedFetches === this.retry.retries) throw error
    this.failedFetches += 1
    const wait = retryTime(this.retry, this.failedFetches)
    const { groupId } = this.options
    this.log.warn(`Fetches again: ${error.message}`, { groupId, retryCount: this.failedFetches, wait })
    await this.waits.sleep(wait)
  }

  private begin(work: Work): void {
    const { assigned } = work
    assigned.work = work
    this.works.add(work)
    this.tune([assigned])
    work.done = this.handle(work)
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.progress += 1
        this.works.delete(work)
        assigned.work = undefined
        this.tune([assigned])
      })
  }

  private async handle(work: Work): Promise<void> {
    const { emit } = this.options
    const { batch, assigned } = work
    const described = batch.describe()
    emit('START_BATCH_PROCESS', described)
    const start = Date.now()
    const next = await (this.config.eachMessage ? handleMessages : handleBatch)(work, this)
    emit('END_BATCH_PROCESS', { ...described, duration: Date.now() - start })
    if (!work.stale && next !== batch.next) this.goOn(assigned, next)
    await this.autoCommit()
    this.heartbeat()
  }

  /** Reads on from here: what was fetched beyond is read again. */
  private goOn({ topic, partition }: Assigned, offset: bigint): void {
    this.member.tell((native) => native.seek(topic, partition, offset))
  }

  /** Does what the group asks for, step by step. */
  private async follow(joined: () => void): Promise<void> {
    try {
      for (;;) {
        const step = (await this.member.run((native) => native.rebalance())) as Rebalance | undefined
        if (step === undefined || !this.running) return
        this.stepping = this.rebalance(step)
        await this.stepping
        this.member.tell((native) => {
          // What a fetch from before the step brings would look stale.
          native.wake()
          native.rebalanced()
        })
        if (step.kind === 'assign') joined()
      }
    } catch (error) {
      this.fail(error)
    }
  }

  private async rebalance(step: Rebalance): Promise<void> {
    const places = step.partitions.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    )
    this.memberId = step.memberId
    this.epoch = step.memberEpoch
    this.tellRebalancing()
    if (step.kind === 'assign') await this.take(places, step)
    else await this.part(places, step.kind === 'lost')
    if (step.error !== undefined) throw step.error
  }

  private async take(places: TopicPartition[], step: Rebalance): Promise<void> {
    const { pauses, groupId, emit, assignor, log } = this.options
    // The join was a heartbeat too.
    this.heartbeatAt = Date.now()
    this.moment += 1
    for (const place of places) this.assignment.add(place, this.moment)
    const memberAssignment = this.assignment.byTopic()
    this.tune(pauses.assigned(memberAssignment))
    this.seekAll()
    this.reportUnsubscribed(Object.keys(memberAssignment))
    if (places.length > 0) await this.config.onPartitionsAssigned?.(places)
    const payload = {
      groupId,
      memberId: this.memberId,
      leaderId: step.leaderId,
      isLeader: step.isLeader,
      groupProtocol: assignor,
      memberAssignment,
      duration: Date.now() - this.began,
    }
    emit('GROUP_JOIN', payload)
    this.rebalancing = false
    log.info('Consumer has joined the group', payload)
  }

  /** Does the seeks from before there was anything to seek in. */
  private seekAll(): void {
    const { seeks } = this.options
    for (const [key, { offset, ...place }] of seeks) if (this.seek(place, offset)) seeks.delete(key)
  }

  /** Gives partitions up, once their handlers have ended and what they did is committed. */
  private async part(places: TopicPartition[], lost: boolean): Promise<void> {
    const { config, options } = this
    const going = places.flatMap((place) => this.assignment.get(place) ?? [])
    if (going.length === 0) return
    for (const assigned of going) {
      assigned.since = Number.POSITIVE_INFINITY
      if (lost) assigned.work?.discard()
      else assigned.work?.halt()
    }
    if (!lost) {
      await this.within(Promise.all(going.map(({ work }) => work?.done)))
      await this.autoCommit()
    }
    const { onPartitionsRevoked, onPartitionsLost = onPartitionsRevoked } = options.manual ? {} : config
    await (lost ? onPartitionsLost : onPartitionsRevoked)?.(
      going.map(({ topic, partition }) => ({ topic, partition })),
    )
    for (const assigned of going) {
      assigned.work?.discard()
      this.assignment.delete(assigned)
    }
    options.pauses.assigned(this.assignment.byTopic())
  }

  /** Waits for this, but no longer than the group does. */
  private async within(ending: Promise<unknown>): Promise<void> {
    const limit = new Waits()
    await Promise.race([ending.catch(() => undefined), limit.sleep(this.options.rebalanceTimeout)])
    limit.end()
  }

  private reportUnsubscribed(assignedTopics: string[]): void {
    const { topics, emit, groupId } = this.options
    const topicsSubscribed = topics()
    const topicsNotSubscribed = assignedTopics.filter((topic) => !topicsSubscribed.includes(topic))
    if (topicsNotSubscribed.length === 0) return
    const member = { groupId, generationId: this.epoch, memberId: this.memberId }
    emit('RECEIVED_UNSUBSCRIBED_TOPICS', { ...member, assignedTopics, topicsSubscribed, topicsNotSubscribed })
  }
}
