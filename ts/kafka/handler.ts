import type { KafkaMessage } from '../native/messages.ts'
import type { ConsumerRunConfig } from './consuming.ts'
import { KafkaJSError, KafkaJSNumberOfRetriesExceeded } from './errors.ts'
import type { Logger } from './logger.ts'
import { type RetryOptions, retryTime } from './retry.ts'
import type { Waits } from './waits.ts'

interface Place {
  topic: string
  partition: number
}

/** What a handler may do, and what its failure leads to. */
interface Around {
  pause(place: Place): void
  resume(place: Place): void
  heartbeat(): void
  /** It has failed, and will be tried again. */
  failed(): Promise<void>
}

/** How it ended; a message whose handler failed for now is to be read again. */
export type Handled = 'done' | 'failed'

/** Runs the application's handler, again and again where it fails. */
export class Handler {
  constructor(
    private readonly options: {
      config: ConsumerRunConfig
      retry: Required<RetryOptions>
      log: Logger
    },
    private readonly waits: Waits,
    private readonly around: Around,
  ) {}

  /**
   * Handles a message. It is not tried again where `outOfTurn` says that the partition was paused or left
   * meanwhile, nor after the waits have ended.
   * @throws KafkaJSNumberOfRetriesExceeded with the handler's error as its cause
   */
  async handle(place: Place, message: KafkaMessage, outOfTurn: () => boolean): Promise<Handled> {
    const { config, retry } = this.options
    const { topic, partition } = place
    const heartbeat = async () => this.around.heartbeat()
    const pause = () => {
      this.around.pause(place)
      return () => this.around.resume(place)
    }
    for (let retryCount = 0; ; retryCount++) {
      try {
        await config.eachMessage?.({ topic, partition, message, heartbeat, pause })
        return 'done'
      } catch (thrown) {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown))
        this.report(error, place, message)
        await this.around.failed()
        if (outOfTurn()) return 'failed'
        const wait = retryTime(retry, retryCount + 1)
        if (retryCount >= retry.retries || isFinal(error)) {
          throw new KafkaJSNumberOfRetriesExceeded(error, { retryCount, retryTime: wait })
        }
        await this.waits.sleep(wait)
        if (this.waits.over || outOfTurn()) return 'failed'
      }
    }
  }

  private report(error: Error, { topic, partition }: Place, { offset }: KafkaMessage): void {
    if (error instanceof KafkaJSError) return
    const { stack } = error
    this.options.log.error('Error when calling eachMessage', {
      topic,
      partition,
      offset,
      stack,
      error: error.message,
    })
  }
}

/** True where KafkaJS does not try again: the error says so, or it is a mistake in the program. */
function isFinal(error: Error): boolean {
  if ((error as Partial<KafkaJSError>).retriable === false) return true
  return ['RangeError', 'ReferenceError', 'SyntaxError', 'TypeError'].includes(error.name)
}
