import { Emitter, type InstrumentationEvent, type RemoveListener } from './events.ts'
import type { Logger } from './logger.ts'

/** The payloads of what every client tells. */
export interface ConnectionPayloads {
  CONNECT: null
  DISCONNECT: null
}

/** The payload of the event of this name. */
export type PayloadOf<Events, Payloads, Name> = {
  [Key in keyof Events]: Events[Key] extends Name
    ? Key extends keyof Payloads
      ? Payloads[Key]
      : unknown
    : never
}[keyof Events]

/** What a producer, a consumer and an admin have in common: events, a logger, and an end. */
export abstract class Client<Events extends object = object, Payloads extends object = object> {
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

  /** Hears of an event, which is one of `events`; answers what stops that. What the listener throws is logged. */
  on<Name extends Events[keyof Events]>(
    name: Name,
    listener: (event: InstrumentationEvent<PayloadOf<Events, Payloads, Name>>) => unknown,
  ): RemoveListener
  /** Hears of an event whose name is found at run time. */
  on<Payload = unknown>(
    name: string,
    listener: (event: InstrumentationEvent<Payload>) => unknown,
  ): RemoveListener
  on(name: string, listener: (event: InstrumentationEvent<never>) => unknown): RemoveListener {
    return this.emitter.on(name, listener as (event: InstrumentationEvent<unknown>) => unknown)
  }

  logger(): Logger {
    return this.log
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect()
  }
}
