import { Frames } from '../native/frames.ts'
import type { NativeOffset, NativeTransaction, ProducerIdentity } from '../native/types.ts'
import { fromNative, KafkaJSNonRetriableError, KafkaJSProtocolError } from './errors.ts'
import {
  byTopic,
  type Choice,
  frame,
  type Message,
  type ProducerBatch,
  type ProducerRecord,
  type RecordMetadata,
} from './messages.ts'
import type { NodeHandle } from './node.ts'
import { abortable } from './signal.ts'
import { long, validateMessages, validateOffsets, validateOwner, validateTopic } from './validate.ts'

/** Offsets that are committed with a transaction. */
export interface Offsets {
  /** Each offset is the next to read. */
  topics: {
    topic: string
    partitions: { partition: number; offset: string | bigint; metadata?: string | null }[]
  }[]
}

/** Offsets, and the group that has consumed up to them: by its name, or by one of its consumers. */
export type TransactionOffsets = Offsets &
  (
    | { consumerGroupId: string; consumer?: never }
    | { consumer: { readonly groupId: string }; consumerGroupId?: never }
  )

/**
 * Commits again where the consumer whose offsets are in it has reached another epoch meanwhile: nothing was stored,
 * and its node will hear of the epoch.
 */
async function committed(commit: () => Promise<void>): Promise<void> {
  for (let wait = STALE_WAIT_MS; ; wait *= 2) {
    try {
      return await commit()
    } catch (error) {
      if (fromNative(error).type !== 'STALE_MEMBER_EPOCH' || wait > STALE_WAIT_MAX_MS) throw error
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }
}

const STALE_WAIT_MS = 10
const STALE_WAIT_MAX_MS = 5_000

/** What a transaction needs of its producer. */
export interface TransactionHost {
  readonly transactionalId: string
  /** Create a topic at the first send to it. */
  readonly create: boolean
  /** The commit need not survive a power cut. */
  readonly relaxed: boolean
  /** How long it may stay open, in milliseconds. */
  readonly timeoutMs: number
  node(): NodeHandle
  identity(): Promise<ProducerIdentity>
  /** Checks and interceptors. */
  prepare(topic: string, messages: Message[], batch: ProducerBatch): Message[]
  choice(topic: string): Promise<Choice>
  /** The group has these offsets behind it. */
  committed(groupId: string, offsets: NativeOffset[]): void
  /** It is over: the next one may begin. */
  ended(): void
}

/**
 * Records and consumed offsets that are stored together, or not at all. Nothing of it is in the log before `commit`:
 * no consumer sees an open or an aborted transaction, whatever its isolation.
 */
export class Transaction {
  private active = true
  private committing: Promise<void> | undefined
  private readonly opened = Date.now()
  private readonly sends = new Map<string, Frames>()
  /** How many records it has, by topic and partition. */
  private readonly counts = new Map<string, Map<number, number>>()
  private offsets: NativeOffset[] = []
  private readonly underWay = new Set<Promise<unknown>>()

  /** @internal */
  constructor(private readonly host: TransactionHost) {}

  /** True until it is committed or aborted. */
  isActive(): boolean {
    return this.active
  }

  /**
   * Adds messages. The answer names their partitions; their offsets are '-1', since the commit assigns them.
   * @throws KafkaJSNonRetriableError for malformed messages, and once the transaction has ended
   */
  async send(record: ProducerRecord): Promise<RecordMetadata[]> {
    this.check()
    const { topic, messages, ...options } = record
    return this.sendBatch({ ...options, topicMessages: [{ topic, messages }] })
  }

  /** Adds messages of several topics. */
  async sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]> {
    this.check()
    const { topicMessages = [], signal } = batch
    for (const { topic, messages } of topicMessages) validateMessages(topic, messages)
    const send = ([topic, messages]: [string, Message[]]) =>
      this.add(topic, this.host.prepare(topic, messages, batch))
    const all = await abortable(signal, () =>
      this.waitedFor(Promise.all([...byTopic(topicMessages)].map(send))),
    )
    return all.flat()
  }

  /** Commits consumed offsets with the transaction: consume, transform, produce, exactly once. */
  async sendOffsets(offsets: TransactionOffsets): Promise<void> {
    this.check()
    const groupId = offsets.consumerGroupId ?? offsets.consumer?.groupId
    if (typeof groupId !== 'string' || groupId === '') {
      throw new KafkaJSNonRetriableError(`Invalid consumerGroupId ${groupId}`)
    }
    validateOwner(groupId)
    for (const { topic } of offsets.topics) validateTopic(topic)
    const given = offsets.topics.flatMap(({ topic, partitions }) =>
      partitions.map((each) => ({ ...each, topic })),
    )
    validateOffsets(given)
    const added = given.map(({ topic, partition, offset, metadata }) => ({
      groupId,
      topic,
      partition: Number(partition),
      offset: String(long(offset)),
      metadata: metadata ?? undefined,
    }))
    this.offsets = this.offsets.concat(added)
    this.host.committed(groupId, added)
  }

  /**
   * Stores it all, in one transaction of the storage.
   * @throws KafkaJSProtocolError of type `PRODUCER_FENCED` where a younger producer has the same transactionalId;
   *   nothing was stored then. After an error that is retriable, `commit` may be called again.
   */
  async commit({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    this.check()
    const committing = this.store(signal)
    this.committing = committing
    try {
      await committing
    } finally {
      this.committing = undefined
    }
  }

  private async store(signal: AbortSignal | undefined): Promise<void> {
    const { host, offsets } = this
    // The producer may be disconnected meanwhile, which waits for this.
    const node = host.node()
    const identified = host.identity()
    identified.catch(() => undefined)
    // A send that nobody waited for belongs to it as well.
    await Promise.all(this.underWay)
    if (this.sends.size > 0 || offsets.length > 0) {
      const sends = [...this.sends].map(([topic, frames]) => ({ topic, frames: frames.framed }))
      const { transactionalId, create, relaxed } = host
      const identity = await identified
      const native: NativeTransaction = { ...identity, transactionalId, create, relaxed, sends, offsets }
      await abortable(signal, () =>
        committed(() =>
          node.call(async (open, held) => {
            await open.commitTransaction(native)
            for (const [topic, counts] of this.counts) {
              for (const [partition, count] of counts) held?.appended(topic, [{ partition, count }])
            }
          }),
        ),
      )
    }
    this.end()
  }

  /** Forgets it all. */
  async abort(): Promise<void> {
    this.check()
    this.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Lets go of it, once what is being committed is. @internal */
  async close(): Promise<void> {
    await this.committing?.catch(() => undefined)
    if (this.active) this.end()
  }

  private end(): void {
    this.active = false
    this.sends.clear()
    this.host.ended()
  }

  /** What `work` does is done before the commit. */
  private waitedFor<T>(work: Promise<T>): Promise<T> {
    this.underWay.add(work)
    const settled = () => this.underWay.delete(work)
    work.then(settled, settled)
    return work
  }

  private async add(topic: string, messages: Message[]): Promise<RecordMetadata[]> {
    if (messages.length === 0) return []
    const choose = await this.host.choice(topic)
    const places = messages.map(choose)
    const frames = this.sends.get(topic) ?? new Frames()
    this.sends.set(topic, frames)
    let at = 0
    frame(frames, messages, () => places[at++] ?? 0)
    const counts = this.counts.get(topic) ?? new Map<number, number>()
    this.counts.set(topic, counts)
    for (const place of places) counts.set(place, (counts.get(place) ?? 0) + 1)
    return [...new Set(places)].map((partition) => ({
      topicName: topic,
      partition,
      errorCode: 0,
      baseOffset: '-1',
      logAppendTime: '-1',
      logStartOffset: '-1',
    }))
  }

  private check(): void {
    if (!this.active) throw new KafkaJSNonRetriableError('Cannot continue to use transaction once ended')
    if (this.committing !== undefined) {
      throw new KafkaJSNonRetriableError('The transaction is being committed: wait for its commit() first')
    }
    const { timeoutMs } = this.host
    if (Date.now() - this.opened <= timeoutMs) return
    this.end()
    const message = `The transaction was aborted: it was open for more than transactionTimeout, which is ${timeoutMs} ms`
    throw new KafkaJSProtocolError(message, { retriable: false, type: 'INVALID_PRODUCER_EPOCH', code: 47 })
  }
}
