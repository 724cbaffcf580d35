import { KafkaJSNonRetriableError } from './errors.ts'
import type { Logger } from './logger.ts'

/** What a listener is given. */
export interface InstrumentationEvent<Payload> {
  id: number
  type: string
  timestamp: number
  payload: Payload
}

/** Stops listening. */
export type RemoveListener = () => void

type Listener<Event> = (event: Event) => unknown

/** Listeners by the event's name: one that throws, now or later, harms nobody. */
export class Listeners<Events extends object> {
  private readonly byName = new Map<keyof Events, Set<Listener<never>>>()

  constructor(
    private readonly logger: Logger,
    private readonly names: readonly (keyof Events)[],
  ) {}

  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): RemoveListener {
    if (!this.names.includes(name)) {
      throw new KafkaJSNonRetriableError(`Event name should be one of ${this.names.join(', ')}`)
    }
    if (typeof listener !== 'function') {
      throw new KafkaJSNonRetriableError(`Invalid listener, expected a function, received ${listener}`)
    }
    // One function may listen twice, and each time is taken back by itself.
    const own: Listener<Events[Name]> = (event) => listener(event)
    const listeners = this.byName.get(name) ?? new Set()
    this.byName.set(name, listeners)
    listeners.add(own)
    return () => listeners.delete(own)
  }

  heard(name: keyof Events): boolean {
    return (this.byName.get(name)?.size ?? 0) > 0
  }

  tell<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.byName.get(name) ?? [])]) {
      const failed = (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        this.logger.error(`Failed to execute listener: ${reason}`, { eventName: String(name) })
      }
      try {
        Promise.resolve(listener(event as never)).catch(failed)
      } catch (error) {
        failed(error)
      }
    }
  }
}

let ids = 0

/** The instrumentation events of one client, as KafkaJS has them. */
export class Emitter {
  private readonly listeners: Listeners<Record<string, InstrumentationEvent<unknown>>>

  constructor(
    private readonly client: string,
    private readonly names: Readonly<Record<string, string>>,
    logger: Logger,
  ) {
    this.listeners = new Listeners(logger, Object.values(names))
  }

  on<Payload>(name: string, listener: (event: InstrumentationEvent<Payload>) => unknown): RemoveListener {
    if (!Object.values(this.names).includes(name)) {
      const known = Object.keys(this.names).map((key) => `${this.client}.events.${key}`)
      throw new KafkaJSNonRetriableError(`Event name should be one of ${known.join(', ')}`)
    }
    return this.listeners.on(name, listener as Listener<InstrumentationEvent<unknown>>)
  }

  emit(type: string, payload: unknown): void {
    if (!this.listeners.heard(type)) return
    ids += 1
    this.listeners.tell(type, { id: ids, type, timestamp: Date.now(), payload })
  }
}
