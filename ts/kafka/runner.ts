import type { Consumer as NativeConsumer } from '../generated/page-bindings.js'
import { type KafkaMessage, messageAt, offsetAt } from '../native/messages.ts'
import type { Fetched } from '../native/types.ts'
import type {
  ConsumerRunConfig,
  EventName,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './consumer.ts'
import { fromNative, type KafkaJSError, KafkaJSNumberOfRetriesExceeded } from './errors.ts'
import type { Logger } from './logger.ts'
import type { NodeHandle } from './node.ts'
import { Pauses } from './pauses.ts'
import { type RetryOptions, retryTime } from './retry.ts'

/** What a runner works with. */
export interface RunnerOptions {
  node: NodeHandle
  groupId: string
  subscriptions: ReadonlyMap<string, boolean>
  bytesMax: number
  retry: Required<RetryOptions>
  config: ConsumerRunConfig
  emit: (name: EventName, payload: unknown) => void
  log: Logger
  /** The runner has given up. */
  crashed: () => void
}

/** One `run` of a consumer: joins, fetches, handles, commits, until it is stopped or crashes for good. */
export class Runner {
  private native: NativeConsumer | undefined
  private stopping = false
  private loop: Promise<void> = Promise.resolve()
  /** Wakes whoever waits for time to pass. */
  private hurry: () => void = () => undefined
  private readonly pauses = new Pauses()
  /** Counts seeks; a batch that was asked for before the last seek of its partition is stale. */
  private seeks = 0
  private readonly lastSeek = new Map<string, number>()
  private readonly early: { topic: string; partition: number; offset: bigint }[] = []
  private uncommitted = 0
  private committedAt = Date.now()
  private readonly memberId = `${Math.random().toString(36).slice(2)}`

  constructor(private readonly options: RunnerOptions) {}

  /** Resolves when the group has been joined; the work goes on by itself. */
  async start(): Promise<void> {
    const joined = this.join()
    this.loop = joined.then(() => this.work())
    this.loop.catch(() => undefined)
    await joined
  }

  async stop(): Promise<void> {
    this.stopping = true
    this.hurry()
    this.native?.wake()
    // A wait for the group ends at once; a handler that runs is waited for.
    if (!this.joined) this.native?.leave()
    await this.loop.catch(() => undefined)
    await this.leave()
  }

  async commit(offsets: TopicPartitionOffsetAndMetadata[]): Promise<void> {
    const wanted = offsets.map(({ topic, partition, offset, metadata }) => ({
      topic,
      partition,
      offset: String(offset),
      metadata: metadata ?? undefined,
    }))
    await this.commitNative(wanted)
  }

  seek(topic: string, partition: number, offset: bigint): void {
    this.seeks += 1
    this.lastSeek.set(`${topic}/${partition}`, this.seeks)
    if (this.native === undefined) this.early.push({ topic, partition, offset })
    else this.native.seek(topic, partition, offset)
  }

  pause(topics: TopicPartitions[]): void {
    for (const { topic, partition } of this.pauses.pause(topics)) this.native?.pause(topic, partition)
  }

  resume(topics: TopicPartitions[]): void {
    for (const { topic, partition } of this.pauses.resume(topics)) this.native?.resume(topic, partition)
  }

  paused(): { topic: string; partitions: number[] }[] {
    return this.pauses.list()
  }

  private joined = false

  private async join(): Promise<void> {
    const { node, groupId, subscriptions, emit } = this.options
    const start = Date.now()
    await node.call(async (open) => {
      const native = open.consumer(groupId)
      this.native = native
      for (const [topic, fromBeginning] of subscriptions) native.subscribe(topic, fromBeginning)
      for (const { topic, partition, offset } of this.early.splice(0)) native.seek(topic, partition, offset)
      if (this.stopping) return
      await native.join()
      this.joined = true
    })
    const memberAssignment: Record<string, number[]> = {}
    for (const topic of subscriptions.keys()) {
      const count = await node.call((open) => open.partitions(topic, true))
      memberAssignment[topic] = Array.from({ length: count }, (_, partition) => partition)
    }
    for (const { topic, partition } of this.pauses.assigned(memberAssignment)) this.native?.pause(topic, partition)
    const { memberId } = this
    const payload = { groupId, memberId, leaderId: memberId, isLeader: true, groupProtocol: 'RoundRobinAssigner' }
    emit('GROUP_JOIN', { ...payload, duration: Date.now() - start, memberAssignment })
  }

  private async work(): Promise<void> {
    let failures = 0
    while (!this.stopping) {
      try {
        await this.step()
        failures = 0
      } catch (thrown) {
        const error = thrown instanceof KafkaJSNumberOfRetriesExceeded ? thrown : fromNative(thrown)
        failures += 1
        if (error.retriable && failures <= this.options.retry.retries && !this.stopping) {
          await this.recover(failures)
          continue
        }
        await this.crash(error)
        return
      }
    }
  }

  /** Storage or the wasm failed: join again, from what was committed. */
  private async recover(failures: number): Promise<void> {
    await this.sleep(retryTime(this.options.retry, failures))
    if (this.stopping) return
    this.release()
    await this.join()
  }

  private async step(): Promise<void> {
    const { node, bytesMax, config, emit } = this.options
    const native = this.native
    if (native === undefined) return
    const asked = this.seeks
    emit('FETCH_START', { nodeId: 0 })
    const start = Date.now()
    const fetched = (await node.call(() => native.fetch(bytesMax))) as Fetched | undefined
    emit('FETCH', { numberOfBatches: fetched === undefined ? 0 : 1, duration: Date.now() - start, nodeId: 0 })
    if (fetched === undefined || this.stopping) return
    const batch = describe(fetched)
    emit('START_BATCH_PROCESS', batch)
    const began = Date.now()
    await this.handle(native, fetched, asked)
    emit('END_BATCH_PROCESS', { ...batch, duration: Date.now() - began })
    if (config.autoCommit ?? true) await this.commitNative(undefined)
  }

  private async handle(native: NativeConsumer, fetched: Fetched, asked: number): Promise<void> {
    const { topic, partition } = fetched
    const place = `${topic}/${partition}`
    for (let index = 0; index < fetched.count; index++) {
      if (this.stopping || (this.lastSeek.get(place) ?? 0) > asked) return
      const offset = offsetAt(fetched, index)
      if (this.pauses.has(topic, partition)) {
        // What was fetched and not handled is read again when the partition is resumed.
        native.seek(topic, partition, offset)
        return
      }
      const message = messageAt(fetched, index)
      const handled = await this.handleWithRetries(topic, partition, message)
      if (!handled) return
      if ((this.lastSeek.get(place) ?? 0) > asked) return
      native.resolve(topic, partition, offset + 1n)
      this.uncommitted += 1
      if (this.commitIsDue()) await this.commitNative(undefined)
    }
  }

  /** False where the consumer was stopped before the handler succeeded. */
  private async handleWithRetries(topic: string, partition: number, message: KafkaMessage): Promise<boolean> {
    const { retry, config, log } = this.options
    for (let attempt = 1; ; attempt++) {
      try {
        const pause = () => {
          this.pause([{ topic, partitions: [partition] }])
          return () => this.resume([{ topic, partitions: [partition] }])
        }
        await config.eachMessage?.({ topic, partition, message, heartbeat: async () => undefined, pause })
        return true
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown))
        const { offset } = message
        log.error(`Error when calling eachMessage: ${error.message}`, { topic, partition, offset, error: error.stack })
        if (config.autoCommit ?? true) await this.commitNative(undefined)
        const final = (thrown as Partial<KafkaJSError>).retriable === false
        if (attempt > retry.retries || final) {
          const details = { retryCount: attempt - 1, retryTime: retryTime(retry, attempt), cause: error }
          throw new KafkaJSNumberOfRetriesExceeded(error.message, details)
        }
        await this.sleep(retryTime(retry, attempt))
        if (this.stopping) return false
      }
    }
  }

  private commitIsDue(): boolean {
    const { autoCommit = true, autoCommitInterval, autoCommitThreshold } = this.options.config
    if (!autoCommit) return false
    const byCount = typeof autoCommitThreshold === 'number' && this.uncommitted >= autoCommitThreshold
    const byTime = typeof autoCommitInterval === 'number' && Date.now() - this.committedAt >= autoCommitInterval
    return byCount || byTime
  }

  private async commitNative(
    offsets: { topic: string; partition: number; offset: string; metadata: string | undefined }[] | undefined,
  ): Promise<void> {
    const { node, groupId, emit } = this.options
    const native = this.native
    if (native === undefined) return
    type Committed = { topic: string; partition: number; offset: string }[]
    const committed = (await node.call(() => native.commit(offsets))) as Committed
    this.uncommitted = 0
    this.committedAt = Date.now()
    if (committed.length === 0) return
    const topics = new Map<string, { partition: number; offset: string }[]>()
    for (const { topic, partition, offset } of committed) {
      topics.set(topic, [...(topics.get(topic) ?? []), { partition, offset }])
    }
    const list = [...topics].map(([topic, partitions]) => ({ topic, partitions }))
    emit('COMMIT_OFFSETS', { groupId, memberId: this.memberId, groupGenerationId: 0, topics: list })
  }

  private async crash(error: KafkaJSError): Promise<void> {
    const { retry, emit, log, groupId } = this.options
    await this.leave().catch(() => undefined)
    const byHandler = error instanceof KafkaJSNumberOfRetriesExceeded
    const cause = error.cause as Partial<KafkaJSError> | undefined
    const may = (byHandler && cause?.retriable !== false) || error.retriable
    const restart = may && (await retry.restartOnFailure(error).catch(() => true))
    log.error(`Crash: ${error.name}: ${error.message}`, { groupId, restart })
    emit('CRASH', { error, groupId, restart })
    if (!restart || this.stopping) {
      this.options.crashed()
      return
    }
    await this.sleep(byHandler ? error.retryTime : retry.initialRetryTime)
    if (this.stopping) return
    await this.join()
    return this.work()
  }

  private async leave(): Promise<void> {
    try {
      if (this.joined && (this.options.config.autoCommit ?? true)) await this.commitNative(undefined)
    } finally {
      this.release()
    }
  }

  private release(): void {
    const native = this.native
    this.native = undefined
    this.joined = false
    try {
      native?.leave()
    } catch {
      // Its instance trapped: the lock went with it.
    }
  }

  private sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.hurry = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function describe(fetched: Fetched): object {
  const { topic, partition, highWatermark, count } = fetched
  const last = count === 0 ? highWatermark - 1n : offsetAt(fetched, count - 1)
  const first = count === 0 ? null : offsetAt(fetched, 0)
  return {
    topic,
    partition,
    highWatermark: String(highWatermark),
    offsetLag: String(highWatermark - 1n - last),
    offsetLagLow: first === null ? '0' : String(highWatermark - 1n - first),
    batchSize: count,
    firstOffset: first === null ? null : String(first),
    lastOffset: String(last),
  }
}
