import { type KafkaMessage, messageAt, offsetAt } from '../native/messages.ts'
import type { Fetched } from '../native/types.ts'
import type { BatchProcessEvent } from './consuming.ts'

/** What interceptors make of the messages of one fetch. */
export type Intercept = (topic: string, partition: number, messages: KafkaMessage[]) => KafkaMessage[]

/** What one fetch has brought from a partition. Offsets are decimal strings. */
export class Batch {
  readonly topic: string
  readonly partition: number
  /** The next offset to be written, when this was fetched. */
  readonly highWatermark: string
  private decoded: KafkaMessage[] | undefined

  /** @internal */
  constructor(
    private readonly fetched: Fetched,
    private readonly intercept: Intercept | undefined,
    private readonly start = 0,
  ) {
    this.topic = fetched.topic
    this.partition = fetched.partition
    this.highWatermark = String(fetched.highWatermark)
  }

  /** The messages, in order. */
  get messages(): KafkaMessage[] {
    if (this.decoded === undefined) {
      const { fetched, start, intercept } = this
      const decoded = Array.from({ length: this.size }, (_, index) => messageAt(fetched, start + index))
      this.decoded = intercept?.(this.topic, this.partition, decoded) ?? decoded
    }
    return this.decoded
  }

  isEmpty(): boolean {
    return this.size === 0
  }

  /** Null where it is empty. */
  firstOffset(): string | null {
    return this.isEmpty() ? null : String(this.first)
  }

  /** Where it is empty, the last of those that were deleted or are not for readers. */
  lastOffset(): string {
    return String(this.last)
  }

  /** How many offsets lie behind the last message. */
  offsetLag(): string {
    return String(this.fetched.highWatermark - 1n - this.last)
  }

  /** How many lie behind the first message; '0' where it is empty. */
  offsetLagLow(): string {
    return this.isEmpty() ? '0' : String(this.fetched.highWatermark - 1n - this.first)
  }

  /** @internal How many messages were fetched. */
  get size(): number {
    return this.fetched.count - this.start
  }

  /** @internal Where the fetch began. */
  get first(): bigint {
    return this.isEmpty() ? this.fetched.baseOffset : offsetAt(this.fetched, this.start)
  }

  /** @internal Where the next fetch goes on. */
  get next(): bigint {
    return this.fetched.nextOffset ?? this.last + 1n
  }

  /** @internal The offset to resolve when `offset` was handled: behind the last message nothing is left to read. */
  after(offset: bigint): bigint {
    return offset === this.last ? this.next : offset + 1n
  }

  /** @internal One message; those before it need not be decoded. */
  at(index: number): KafkaMessage | undefined {
    if (this.intercept !== undefined) return this.messages[index]
    return index < this.size ? messageAt(this.fetched, this.start + index) : undefined
  }

  /** @internal The offset of the message at `index`. */
  offsetOf(message: KafkaMessage, index: number): bigint {
    // Interceptors may have left some out.
    return this.intercept === undefined ? offsetAt(this.fetched, this.start + index) : BigInt(message.offset)
  }

  /** @internal What is left of it from an offset on. */
  from(offset: bigint): Batch {
    let { start } = this
    while (start < this.fetched.count && offsetAt(this.fetched, start) < offset) start += 1
    return new Batch(this.fetched, this.intercept, start)
  }

  /** @internal */
  describe(): BatchProcessEvent {
    return {
      topic: this.topic,
      partition: this.partition,
      highWatermark: this.highWatermark,
      offsetLag: this.offsetLag(),
      offsetLagLow: this.offsetLagLow(),
      batchSize: this.size,
      firstOffset: this.firstOffset(),
      lastOffset: this.lastOffset(),
    }
  }

  private get last(): bigint {
    const { fetched } = this
    if (this.isEmpty()) return (fetched.nextOffset ?? fetched.highWatermark) - 1n
    return offsetAt(fetched, fetched.count - 1)
  }
}
