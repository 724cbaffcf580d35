import type { Producer, RecordMetadata } from '../public.ts'
import type { Message } from './message.ts'

interface Waiting {
  message: Message
  key: string
}

/** What the queue tells of its messages. */
export interface QueueListener {
  /** These messages were appended; `first` is the offset of each partition's first record. */
  stored(messages: Message[], metadata: RecordMetadata[]): void
  /** These messages are lost, and this is why. */
  dropped(messages: Message[], error: Error): void
}

/** Messages on their way into the log. They wait for the log to open, never for a timer that a page may not live to see. */
export class Queue {
  private waiting: Waiting[] = []
  private sending: Promise<void> | undefined
  private scheduled = false

  /** What may wait while the log cannot take it. */
  static readonly MESSAGES_MAX = 100_000
  private static readonly BATCH_MAX = 1_000
  private static readonly ATTEMPTS_MAX = 5

  constructor(
    private readonly producer: Promise<Producer>,
    private readonly topic: string,
    private readonly listener: QueueListener,
  ) {}

  add(message: Message): void {
    if (this.waiting.length >= Queue.MESSAGES_MAX) {
      const error = new Error(`${Queue.MESSAGES_MAX} messages wait for the log already`)
      this.listener.dropped([message], error)
      return
    }
    this.waiting.push({ message, key: message.userId ?? message.anonymousId })
    if (this.scheduled) return
    this.scheduled = true
    // After the task that tracks, so that its events share one append, and before anything else of the page.
    queueMicrotask(() => void this.send())
  }

  /** Resolves when everything that was added before is in the log. */
  async flush(): Promise<void> {
    while (this.waiting.length > 0 || this.sending !== undefined) await this.send()
  }

  private send(): Promise<void> {
    this.scheduled = false
    this.sending ??= this.drain().finally(() => {
      this.sending = undefined
    })
    return this.sending
  }

  private async drain(): Promise<void> {
    const producer = await this.producer
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, Queue.BATCH_MAX)
      await this.append(producer, batch)
    }
  }

  private async append(producer: Producer, batch: Waiting[]): Promise<void> {
    const messages = batch.map(({ message, key }) => ({
      key,
      value: JSON.stringify(message),
      timestamp: Date.parse(message.timestamp),
    }))
    const tracked = batch.map(({ message }) => message)
    for (let attempt = 1; ; attempt++) {
      try {
        const metadata = await producer.send({ topic: this.topic, messages, acks: 1 })
        this.listener.stored(tracked, metadata)
        return
      } catch (error) {
        const failure = error instanceof Error ? error : new Error(String(error))
        const retriable = (error as { retriable?: boolean }).retriable === true
        if (!retriable || attempt >= Queue.ATTEMPTS_MAX) {
          this.listener.dropped(tracked, failure)
          return
        }
        await new Promise((resolve) => setTimeout(resolve, 2 ** attempt * 100))
      }
    }
  }
}
