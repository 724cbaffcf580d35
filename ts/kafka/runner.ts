import { messageAt, offsetAt } from '../native/messages.ts'
import type { Fetched } from '../native/types.ts'
import { uuid } from '../native/uuid.ts'
import type {
  ConsumerEvents,
  ConsumerRunConfig,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './consuming.ts'
import { fromNative, KafkaJSError, KafkaJSNumberOfRetriesExceeded } from './errors.ts'
import { type Handled, Handler } from './handler.ts'
import type { Logger } from './logger.ts'
import type { NodeHandle } from './node.ts'
import { Pauses } from './pauses.ts'
import { type RetryOptions, retryTime } from './retry.ts'
import type { Member } from './running.ts'
import { Waits } from './waits.ts'

/** What a runner works with. */
export interface RunnerOptions {
  node: NodeHandle
  clientId: string
  groupId: string
  subscriptions: ReadonlyMap<string, boolean>
  bytesMax: number
  heartbeatInterval: number
  retry: Required<RetryOptions>
  config: ConsumerRunConfig
  emit: (name: keyof ConsumerEvents, payload: unknown) => void
  log: Logger
  /** The runner has given up. */
  crashed: () => void
}

interface Place {
  topic: string
  partition: number
}

/** One `run` of a consumer: joins, fetches, handles, commits, until it is stopped or crashes for good. */
export class Runner {
  private member: Member | undefined
  private joined = false
  private stopping = false
  private ended: Promise<void> = Promise.resolve()
  private readonly waits = new Waits()
  private readonly pauses = new Pauses()
  private readonly handler: Handler
  /** Counts what makes fetched records stale: seeks by partition, and losses of the group under `*`. */
  private readonly turns = new Map<string, number>()
  /** Seeks from before there was a member to tell. */
  private early: (Place & { offset: bigint })[] = []
  private readonly memberId: string
  private generation = 0
  private uncommitted = 0
  private committedAt = Date.now()
  private heartbeatAt = 0

  constructor(private readonly options: RunnerOptions) {
    this.memberId = `${options.clientId}-${uuid()}`
    this.handler = new Handler(options, this.waits, {
      pause: (place) => this.pause([{ topic: place.topic, partitions: [place.partition] }]),
      resume: (place) => this.resume([{ topic: place.topic, partitions: [place.partition] }]),
      heartbeat: () => this.heartbeat(),
      failed: () => this.commitAfterFailure(),
    })
  }

  /** Resolves when the group was joined for the first time, or when that will not be. */
  start(): Promise<void> {
    const unlisten = this.options.node.onEvent(({ type }) => {
      // The group was given up: another tab goes on from what was committed.
      if (type === 'page.suspend') this.turn('*')
    })
    return new Promise((resolve) => {
      this.ended = this.live(resolve).finally(() => {
        unlisten()
        resolve()
      })
    })
  }

  async stop(): Promise<void> {
    this.stopping = true
    this.waits.end()
    this.member?.tell((native) => {
      native.wake()
      // A wait for the group ends at once; a handler that runs is waited for.
      if (!this.joined) native.leave()
    })
    await this.ended
  }

  async commit(offsets: TopicPartitionOffsetAndMetadata[]): Promise<void> {
    if (!this.joined) throw new KafkaJSError('The consumer waits for its group still', { retriable: true })
    await this.commitOffsets(
      offsets.map(({ topic, partition, offset, metadata }) => ({
        topic,
        partition: Number(partition),
        offset: String(offset),
        metadata: metadata ?? undefined,
      })),
    )
  }

  seek(topic: string, partition: number, offset: bigint): void {
    this.turn(key({ topic, partition }))
    if (this.member === undefined) this.early.push({ topic, partition, offset })
    this.member?.tell((native) => {
      // What a waiting fetch brought from now on would look stale.
      native.wake()
      native.seek(topic, partition, offset)
    })
  }

  pause(topics: TopicPartitions[]): void {
    const places = this.pauses.pause(topics)
    this.member?.tell((native) => {
      for (const { topic, partition } of places) native.pause(topic, partition)
    })
  }

  resume(topics: TopicPartitions[]): void {
    const places = this.pauses.resume(topics)
    this.member?.tell((native) => {
      for (const { topic, partition } of places) native.resume(topic, partition)
    })
  }

  paused(): { topic: string; partitions: number[] }[] {
    return this.pauses.list()
  }

  private async live(joined: () => void): Promise<void> {
    for (;;) {
      const error = await this.session(joined)
      if (error === undefined || !(await this.crash(error))) return
    }
  }

  /** Works until it is stopped, or until an error that trying again does not cure. */
  private async session(joined: () => void): Promise<KafkaJSError | undefined> {
    const { retry, log, groupId } = this.options
    for (let failures = 0; !this.stopping; ) {
      try {
        await this.join()
        joined()
        while (!this.stopping) {
          await this.step()
          failures = 0
        }
        await this.commitHandled()
      } catch (thrown) {
        const error = fromNative(thrown)
        if (this.stopping) log.debug(`Stopped although: ${error.message}`, { groupId })
        else if (failures === retry.retries || !isPassing(error)) return error
        else {
          failures += 1
          const wait = retryTime(retry, failures)
          log.warn(`The consumer joins its group again: ${error.message}`, {
            groupId,
            retryCount: failures,
            wait,
          })
          await this.waits.sleep(wait)
        }
      } finally {
        this.leave()
      }
    }
    return undefined
  }

  private async join(): Promise<void> {
    const { node, groupId, subscriptions, emit, log } = this.options
    const start = Date.now()
    const member = await node.member(groupId)
    this.member = member
    if (this.stopping) return
    const early = this.early
    this.early = []
    await member.run((native) => {
      for (const [topic, fromBeginning] of subscriptions) native.subscribe(topic, fromBeginning)
      for (const { topic, partition, offset } of early) native.seek(topic, partition, offset)
      return native.join()
    })
    this.joined = true
    this.generation += 1
    const memberAssignment: Record<string, number[]> = {}
    for (const topic of subscriptions.keys()) {
      const count = await node.call((open) => open.partitions(topic, true))
      memberAssignment[topic] = Array.from({ length: count }, (_, partition) => partition)
    }
    const paused = this.pauses.assigned(memberAssignment)
    member.tell((native) => {
      for (const { topic, partition } of paused) native.pause(topic, partition)
    })
    const { memberId } = this
    const group = {
      groupId,
      memberId,
      leaderId: memberId,
      isLeader: true,
      groupProtocol: 'RoundRobinAssigner',
    }
    const payload = { ...group, memberAssignment, duration: Date.now() - start }
    emit('GROUP_JOIN', payload)
    log.info('Consumer has joined the group', payload)
  }

  /** One fetch, and what it brings. */
  private async step(): Promise<void> {
    const { bytesMax, config, emit } = this.options
    const { member } = this
    if (member === undefined) return
    // Nobody handles what would be read.
    if (config.eachMessage === undefined) return this.waits.sleep()
    const turns = new Map(this.turns)
    emit('FETCH_START', { nodeId: 0 })
    const start = Date.now()
    const fetched = (await member.run((native) => native.fetch(bytesMax))) as Fetched | undefined
    emit('FETCH', { numberOfBatches: fetched === undefined ? 0 : 1, duration: Date.now() - start, nodeId: 0 })
    if (fetched === undefined || this.stopping) return
    const batch = describe(fetched)
    emit('START_BATCH_PROCESS', batch)
    const began = Date.now()
    await this.handle(member, fetched, (place) => this.isStale(place, turns))
    emit('END_BATCH_PROCESS', { ...batch, duration: Date.now() - began })
    await this.commitHandled()
    this.heartbeat()
  }

  private async handle(member: Member, fetched: Fetched, isStale: (place: Place) => boolean): Promise<void> {
    const { topic, partition, count } = fetched
    for (let index = 0; index < count && !this.stopping && !isStale(fetched); index++) {
      const offset = offsetAt(fetched, index)
      const giveBack = () => member.tell((native) => native.seek(topic, partition, offset))
      // What was fetched and not handled is read again when the partition is resumed.
      if (this.pauses.has(topic, partition)) return giveBack()
      const outOfTurn = () => isStale(fetched) || this.pauses.has(topic, partition)
      const handled: Handled = await this.handler.handle(
        { topic, partition },
        messageAt(fetched, index),
        outOfTurn,
      )
      if (isStale(fetched)) return
      if (handled === 'failed') return this.stopping ? undefined : giveBack()
      member.tell((native) => native.resolve(topic, partition, offset + 1n))
      this.uncommitted += 1
      this.heartbeat()
      if (this.commitIsDue()) await this.commitHandled()
    }
  }

  private isStale(place: Place, turns: ReadonlyMap<string, number>): boolean {
    return ['*', key(place)].some((name) => this.turns.get(name) !== turns.get(name))
  }

  private turn(name: string): void {
    this.turns.set(name, (this.turns.get(name) ?? 0) + 1)
  }

  private heartbeat(): void {
    const { emit, groupId, heartbeatInterval } = this.options
    if (!this.joined || Date.now() - this.heartbeatAt < heartbeatInterval) return
    this.heartbeatAt = Date.now()
    emit('HEARTBEAT', { groupId, memberId: this.memberId, groupGenerationId: this.generation })
  }

  private commitIsDue(): boolean {
    const { autoCommitInterval, autoCommitThreshold } = this.options.config
    const byCount = typeof autoCommitThreshold === 'number' && this.uncommitted >= autoCommitThreshold
    const byTime =
      typeof autoCommitInterval === 'number' && Date.now() - this.committedAt >= autoCommitInterval
    return byCount || byTime
  }

  private async commitHandled(): Promise<void> {
    if (this.joined && (this.options.config.autoCommit ?? true)) await this.commitOffsets(undefined)
  }

  /** A handler has failed: what it had done before is not to be done again, and its error is the one that counts. */
  private async commitAfterFailure(): Promise<void> {
    try {
      await this.commitHandled()
    } catch (error) {
      this.options.log.warn(`Offsets were not committed: ${fromNative(error).message}`)
    }
  }

  private async commitOffsets(offsets: object[] | undefined): Promise<void> {
    const { groupId, emit } = this.options
    if (this.member === undefined) return
    const committed = (await this.member.run((native) => native.commit(offsets))) as (Place & {
      offset: string
    })[]
    this.uncommitted = 0
    this.committedAt = Date.now()
    if (committed.length === 0) return
    const topics = new Map<string, { partition: number; offset: string }[]>()
    for (const { topic, partition, offset } of committed) {
      topics.set(topic, [...(topics.get(topic) ?? []), { partition, offset }])
    }
    emit('COMMIT_OFFSETS', {
      groupId,
      memberId: this.memberId,
      groupGenerationId: this.generation,
      topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
    })
  }

  /** Says so; true where the consumer is to begin again. */
  private async crash(error: KafkaJSError): Promise<boolean> {
    const { retry, emit, log, groupId } = this.options
    const exceeded = error instanceof KafkaJSNumberOfRetriesExceeded ? error : undefined
    log.error(`Crash: ${error.name}: ${error.message}`, {
      groupId,
      retryCount: exceeded?.retryCount,
      stack: error.stack,
    })
    emit('STOP', null)
    emit('DISCONNECT', null)
    const restart = (exceeded !== undefined || error.retriable) && (await this.mayRestart(error))
    emit('CRASH', { error, groupId, restart })
    if (restart && !this.stopping) {
      const wait = exceeded?.retryTime ?? retry.initialRetryTime
      log.error(`Restarting the consumer in ${wait}ms`, { groupId, retryTime: wait })
      await this.waits.sleep(wait)
      if (!this.stopping) return true
    }
    this.options.crashed()
    return false
  }

  private async mayRestart(error: KafkaJSError): Promise<boolean> {
    try {
      return await this.options.retry.restartOnFailure(error)
    } catch (thrown) {
      const { message } = fromNative(thrown)
      this.options.log.error(`restartOnFailure failed, so the consumer restarts: ${message}`)
      return true
    }
  }

  private leave(): void {
    this.member?.tell((native) => {
      native.leave()
      native.free()
    })
    this.member = undefined
    this.joined = false
  }
}

/** True for errors that joining again may cure: a storage that fails at times, a group that was lost. */
function isPassing(error: KafkaJSError): boolean {
  return error.retriable || error.kind === 'Closed' || error.kind === 'Fenced'
}

function key({ topic, partition }: Place): string {
  return `${topic}/${partition}`
}

/** What the events say of a batch. */
function describe(fetched: Fetched): object {
  const { topic, partition, highWatermark, count } = fetched
  const first = count === 0 ? undefined : offsetAt(fetched, 0)
  const last = count === 0 ? highWatermark - 1n : offsetAt(fetched, count - 1)
  return {
    topic,
    partition,
    highWatermark: String(highWatermark),
    offsetLag: String(highWatermark - 1n - last),
    offsetLagLow: first === undefined ? '0' : String(highWatermark - 1n - first),
    batchSize: count,
    firstOffset: first === undefined ? null : String(first),
    lastOffset: String(last),
  }
}
