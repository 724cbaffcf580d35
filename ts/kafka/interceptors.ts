import { KafkaJSError } from './errors.ts'
import type { Logger } from './logger.ts'
import type { Message, RecordMetadata } from './messages.ts'
import { validateMessages } from './validate.ts'

/** Looks at what a producer sends, as Kafka's `ProducerInterceptor` does. What it throws is logged, and harms nobody. */
export interface ProducerInterceptor {
  /**
   * Sees each message before its partition is chosen, and answers what is sent in its place. The interceptors are
   * asked in their order, each with the answer of the one before.
   */
  onSend?(record: { topic: string; message: Message }): Message
  /** Hears what became of the messages of one send to one topic: where they are, or why they are not stored. */
  onAcknowledgement?(outcome: { topic: string; metadata: RecordMetadata[]; error?: KafkaJSError }): void
}

/** The interceptors of a producer. */
export class Interceptors {
  constructor(
    private readonly all: ProducerInterceptor[],
    private readonly log: Logger,
  ) {}

  /** What is to be sent in place of `messages`. */
  sending(topic: string, messages: Message[]): Message[] {
    let sent = messages
    for (const interceptor of this.all) {
      const { onSend } = interceptor
      if (onSend === undefined) continue
      sent = sent.map((message) => {
        const changed = this.guarded(() => onSend.call(interceptor, { topic, message })) ?? message
        return changed
      })
    }
    if (sent !== messages) validateMessages(topic, sent)
    return sent
  }

  /** Tells what became of them. */
  acknowledged(topic: string, metadata: RecordMetadata[], thrown?: unknown): void {
    const error = thrown instanceof KafkaJSError ? { error: thrown } : {}
    for (const interceptor of this.all) {
      this.guarded(() => interceptor.onAcknowledgement?.({ topic, metadata, ...error }))
    }
  }

  private guarded<T>(call: () => T): T | undefined {
    const failed = (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error)
      this.log.error(`A producer interceptor failed, and was passed over: ${reason}`)
    }
    try {
      const made = call()
      // Nobody else waits for it.
      if (made instanceof Promise) made.catch(failed)
      return made
    } catch (error) {
      failed(error)
      return undefined
    }
  }
}
