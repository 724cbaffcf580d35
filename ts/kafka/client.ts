import { Emitter, type InstrumentationEvent, type RemoveListener } from './events.ts'
import type { Logger } from './logger.ts'

/** What a producer, a consumer and an admin have in common: events, a logger, and an end. */
export abstract class Client {
  /** @internal */
  protected readonly log: Logger
  /** @internal */
  protected readonly emitter: Emitter

  constructor(kind: 'Producer' | 'Consumer' | 'Admin', logger: Logger, events: object) {
    this.log = logger.namespace(kind)
    this.emitter = new Emitter(kind.toLowerCase(), events as Record<string, string>, this.log)
  }

  /** Lets go of the log. */
  abstract disconnect(): Promise<void>

  /** Hears of an event; answers what stops that. */
  on<Payload = unknown>(
    name: string,
    listener: (event: InstrumentationEvent<Payload>) => unknown,
  ): RemoveListener {
    return this.emitter.on(name, listener)
  }

  logger(): Logger {
    return this.log
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect()
  }
}
