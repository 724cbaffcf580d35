import type { KafkaMessage } from '../native/messages.ts'
import type { ConsumerRunConfig, EachMessagePayload, TopicPartition } from './consuming.ts'
import { KafkaJSError, KafkaJSNonRetriableError } from './errors.ts'
import type { Runner } from './runner.ts'

/** A message with where it is from. */
export interface StreamMessage extends KafkaMessage, TopicPartition {}

/** What `stream` is given: what `run` is, without handlers. */
export type StreamOptions = Omit<ConsumerRunConfig, 'eachMessage' | 'eachBatch' | 'eachBatchAutoResolve'>

interface Offered {
  message: StreamMessage
  handled(): void
  refuse(error: KafkaJSError): void
}

/**
 * Messages one by one: the next is read when it is asked for, and then the last one counts as handled. The one at
 * which a loop is left, by `break` or by an error, does not: it comes again.
 */
export class MessageStream implements AsyncIterableIterator<StreamMessage> {
  private readonly offered: Offered[] = []
  private taken: Offered | undefined
  private waiting: (() => void) | undefined
  private ending: { error: unknown } | undefined
  private runner: Runner | undefined

  /** `run` begins to read; `stop` ends it. @internal */
  constructor(
    private readonly run: (config: ConsumerRunConfig) => Runner,
    private readonly stop: () => Promise<void>,
    private readonly options: StreamOptions,
  ) {}

  /**
   * The next message. Rejects with the reason of an aborted `signal`, and with what crashed the consumer for good.
   * @throws KafkaJSNonRetriableError where the last call still waits
   */
  async next(): Promise<IteratorResult<StreamMessage, undefined>> {
    if (this.waiting !== undefined) {
      throw new KafkaJSNonRetriableError(
        'next() was called while the last next() still waits: await it first, or give each reader a consumer of its own',
      )
    }
    this.taken?.handled()
    this.taken = undefined
    if (this.ending === undefined && this.runner === undefined) this.start()
    while (this.offered.length === 0 && this.ending === undefined) {
      await new Promise<void>((resolve) => {
        this.waiting = resolve
      })
      this.waiting = undefined
    }
    this.taken = this.ending === undefined ? this.offered.shift() : undefined
    if (this.taken !== undefined) return { done: false, value: this.taken.message }
    const error = this.ending?.error
    this.ending = { error: undefined }
    if (error !== undefined) throw error
    return { done: true, value: undefined }
  }

  /** Leaves the group. The last message counts as not handled. */
  async return(): Promise<IteratorResult<StreamMessage, undefined>> {
    this.finish(undefined)
    if (this.runner !== undefined) {
      const stopped = this.stop()
      this.refuse()
      await stopped
    }
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  private start(): void {
    const { signal } = this.options
    this.runner = this.run({ ...this.options, eachMessage: (payload) => this.offer(payload) })
    this.runner.over.then((error) => this.finish(signal?.aborted ? signal.reason : error))
  }

  private offer({ topic, partition, message }: EachMessagePayload): Promise<void> {
    return new Promise((resolve, reject) => {
      this.offered.push({ message: { ...message, topic, partition }, handled: resolve, refuse: reject })
      this.waiting?.()
    })
  }

  private finish(error: unknown): void {
    this.ending ??= { error }
    this.waiting?.()
  }

  private refuse(): void {
    const error = new KafkaJSError('The stream was left before the message was handled', { retriable: true })
    for (const offered of [this.taken, ...this.offered]) offered?.refuse(error)
    this.taken = undefined
    this.offered.length = 0
  }
}
