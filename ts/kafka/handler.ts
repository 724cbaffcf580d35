import type { Assigned } from './assignment.ts'
import type { Batch } from './batch.ts'
import type { ConsumerRunConfig, EachBatchPayload, TopicPartition } from './consuming.ts'
import { KafkaJSError, KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded } from './errors.ts'
import type { Logger } from './logger.ts'
import { type RetryOptions, retryTime } from './retry.ts'
import { Waits } from './waits.ts'

/** A batch that is being handled. */
export class Work {
  /** Resolves when it has ended, however it did. */
  done: Promise<void> = Promise.resolve()
  /** The message that is being handled, and since when. */
  offset: string | null
  readonly since: number = Date.now()
  /** Its running long was told. */
  told = false
  readonly waits: Waits = new Waits()
  private outdated = false

  constructor(
    readonly assigned: Assigned,
    readonly batch: Batch,
  ) {
    this.offset = batch.firstOffset()
  }

  /** True where nothing that comes of it counts any more. */
  get stale(): boolean {
    return this.outdated
  }

  /** True where no more of it is to be handed out. */
  get halted(): boolean {
    return this.waits.over
  }

  /** Hands out no more; what was handled counts. */
  halt(): void {
    this.waits.end()
  }

  /** Hands out no more, and nothing counts. */
  discard(): void {
    this.outdated = true
    this.waits.end()
  }

  /** Everything before `next` was handled. */
  resolve(next: bigint): void {
    if (!this.outdated) this.assigned.resolved = next
  }
}

/** What the handlers of a session may do. */
export interface Around {
  readonly config: ConsumerRunConfig
  readonly retry: Required<RetryOptions>
  readonly log: Logger
  /** False once the session ends. */
  readonly running: boolean
  isPaused(place: TopicPartition): boolean
  /** Pauses; answers what resumes. */
  pause(place: TopicPartition): () => void
  heartbeat(): void
  /** Commits if it is time. */
  commitIfDue(): Promise<void>
  /** Commits what is resolved, where commits are automatic; a failure is told to the log only. */
  autoCommit(): Promise<void>
  readonly offsets: Pick<EachBatchPayload, 'commitOffsetsIfNecessary' | 'uncommittedOffsets'>
}

/**
 * Handles the messages of `work` one by one. Answers the offset to go on with.
 * @throws KafkaJSNumberOfRetriesExceeded, or KafkaJSNonRetriableError for what trying again does not cure
 */
export async function handleMessages(work: Work, around: Around): Promise<bigint> {
  const { batch, assigned } = work
  const { topic, partition } = assigned
  const { eachMessage } = around.config
  const heartbeat = async () => around.heartbeat()
  const pause = () => around.pause(assigned)
  let message = batch.at(0)
  // One function for all messages: this is where a consumer spends its time.
  const call = () => message && eachMessage?.({ topic, partition, message, heartbeat, pause })
  let next = batch.first
  for (let index = 0; message !== undefined; message = batch.at(index)) {
    if (work.halted || !around.running || around.isPaused(assigned)) return next
    work.offset = message.offset
    const offset = batch.offsetOf(message, index)
    if (!(await attempt(work, around, 'eachMessage', call))) return offset
    index += 1
    next = offset + 1n
    work.resolve(next)
    around.heartbeat()
    await around.commitIfDue()
  }
  work.resolve(batch.next)
  return batch.next
}

/**
 * Handles `work` as a whole. Answers the offset to go on with.
 * @throws KafkaJSNumberOfRetriesExceeded, or KafkaJSNonRetriableError for what trying again does not cure
 */
export async function handleBatch(work: Work, around: Around): Promise<bigint> {
  const { assigned } = work
  let resolved: bigint | undefined
  // A handler that was told to stop, and has stopped, has not handled the rest.
  let told = false
  const tell = (stop: boolean) => {
    told ||= stop
    return stop
  }
  const handled = await attempt(work, around, 'eachBatch', () => {
    told = false
    // It had handled everything before it failed.
    if (resolved === work.batch.next) return undefined
    return around.config.eachBatch?.({
      batch: resolved === undefined ? work.batch : work.batch.from(resolved),
      resolveOffset: (offset) => {
        resolved = work.batch.after(BigInt(offset))
        work.resolve(resolved)
      },
      heartbeat: async () => around.heartbeat(),
      pause: () => around.pause(assigned),
      ...around.offsets,
      isRunning: () => !tell(!around.running),
      isStale: () => tell(work.halted),
    })
  })
  if (handled && !told && (around.config.eachBatchAutoResolve ?? true)) {
    resolved = work.batch.next
    work.resolve(resolved)
  }
  return resolved ?? work.batch.first
}

/** Calls the handler until it succeeds; false where it is not to be called any more. */
async function attempt(
  work: Work,
  around: Around,
  name: string,
  call: () => Promise<void> | undefined,
): Promise<boolean> {
  const { retry } = around
  const isOver = () => work.halted || !around.running || around.isPaused(work.assigned)
  for (let retryCount = 0; ; retryCount++) {
    try {
      await call()
      return true
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      report(error, name, work, around.log)
      await around.autoCommit()
      if (isOver()) return false
      const wait = retryTime(retry, retryCount + 1)
      const cause = error.cause ?? error
      if (isFinal(error)) throw new KafkaJSNonRetriableError(error, { cause })
      if (retryCount >= retry.retries) {
        throw new KafkaJSNumberOfRetriesExceeded(error, { retryCount, retryTime: wait, cause })
      }
      await work.waits.sleep(wait)
      if (isOver()) return false
    }
  }
}

function report(
  error: Error,
  name: string,
  { assigned: { topic, partition }, offset }: Work,
  log: Logger,
): void {
  if (error instanceof KafkaJSError) return
  const { stack } = error
  log.error(`Error when calling ${name}`, { topic, partition, offset, stack, error: error.message })
}

/** True where KafkaJS does not try again: the error says so, or it is a mistake in the program. */
function isFinal(error: Error): boolean {
  if ((error as Partial<KafkaJSError>).retriable === false) return true
  return ['RangeError', 'ReferenceError', 'SyntaxError', 'TypeError'].includes(error.name)
}
