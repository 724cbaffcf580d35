import { initialize, type WasmSource } from '../native/source.ts'
import type { NodeEvent, OpenOptions } from '../native/types.ts'
import { Admin, type AdminConfig } from './admin.ts'
import type { ConsumerConfig } from './configured.ts'
import { Consumer } from './consumer.ts'
import type { Durability } from './durability.ts'
import { KafkaJSNonRetriableError, KafkaJSNotImplemented } from './errors.ts'
import { Listeners, type RemoveListener } from './events.ts'
import { type ForwardConfig, Forwarder } from './forwarder.ts'
import type { LostRecords } from './held.ts'
import {
  consoleLogCreator,
  createLogger,
  type LogCreator,
  type Logger,
  type LogLevel,
  logLevel,
} from './logger.ts'
import { release, use } from './node.ts'
import { Producer, type ProducerConfig } from './producer.ts'
import { type RetryOptions, retryOptions } from './retry.ts'
import type { Connection, Shared } from './shared.ts'
import {
  type SchemaInput,
  type SchemaOutput,
  type StandardSchema,
  Topic,
  type TopicOptions,
} from './topic.ts'
import { validateNumbers, validateTopic } from './validate.ts'

/** Where a log is kept. */
export type StorageType = 'indexeddb' | 'memory'

/** How a log is kept. */
export interface StorageOptions {
  /** `'memory'` keeps nothing, and is a broker for tests. Default `'indexeddb'`, or memory where there is none. */
  type?: StorageType
  /**
   * What this `Kafka`'s producers and transactions wait for, whatever their `acks`. `'relaxed'`: the transaction has
   * completed, and survives the tab and the browser. `'strict'`: it was flushed, and survives a power cut. Default: what
   * `acks` says, -1 being strict and 1 relaxed; a transaction is strict. `acks: 0` waits for neither.
   */
  durability?: Durability
}

/** How a {@link Kafka} is made. Everything is optional. */
export interface KafkaConfig {
  /** Names the application in logs and events. Default `'headwater'`. */
  clientId?: string
  /** Names the log: all tabs and workers of an origin that say one name share one log. Default `'headwater'`. */
  name?: string
  /** Where the log is kept, or that and more; see {@link StorageOptions}. */
  storage?: StorageType | StorageOptions
  /**
   * Asks the browser, when the log is opened, to keep the origin's storage where the device runs low on room. Default
   * false: some browsers then ask the user.
   */
  persist?: boolean
  /** Where the wasm comes from, for the whole realm; see `initialize`. The default entry brings its own. */
  wasm?: WasmSource | Promise<WasmSource>
  /** Default `WARN`: a page's console is not ours. */
  logLevel?: LogLevel
  /** Where log entries go. Default: one JSON line each on the console. */
  logCreator?: LogCreator
  /** How failing handlers are tried again; see {@link RetryOptions}. */
  retry?: RetryOptions
  /** Accepted and ignored, so that KafkaJS code moves unchanged: there is no broker. */
  brokers?: string[] | (() => string[] | Promise<string[]>)
  /** Accepted and ignored: there is no network. */
  connectionTimeout?: number
  /** Accepted and ignored: there is no network. */
  authenticationTimeout?: number
  /** Accepted and ignored: there is no network. */
  reauthenticationThreshold?: number
  /** Accepted and ignored: there is no network. Calls take an `AbortSignal`. */
  requestTimeout?: number
  /** Accepted and ignored: there is no network. */
  enforceRequestTimeout?: boolean
}

/** What a {@link Kafka} reports of its log, while one of its clients uses it. */
export interface KafkaEvents {
  /**
   * What became of the storage: `blocked` while another tab holds an older database open, `degraded` where records
   * are in memory only, `recovered` where they are stored again.
   */
  storage: { state: 'blocked' | 'degraded' | 'recovered'; message: string }
  /** Retention deleted records: the partition begins at `logStartOffset` now. */
  trimmed: { topic: string; partition: number; logStartOffset: string }
  /** Compaction removed `records` records, a decimal number, since a later one has their key. */
  compacted: { topic: string; partition: number; records: string }
  /**
   * The storage is full, and the topic's `headwater.quota.policy` is `dropOldest`: `records` records, a decimal number,
   * were given up that not everybody had consumed. The partition begins at `logStartOffset` now.
   */
  dropped: { topic: string; partition: number; records: string; logStartOffset: string }
  /** The records at the offsets `first` to `last` are damaged. They were set aside; readers go on after them. */
  corrupt: { topic: string; partition: number; first: string; last: string; reason: string }
  /**
   * headwater stopped by a defect; it opens the log again by itself. `message` is the engine's word for a trap. What the
   * log had in memory alone is `lost`: of each topic no more than so many records. Where the log is stored, nothing is.
   */
  panic: { message: string; lost: LostRecords[] }
}

const EVENTS: (keyof KafkaEvents)[] = ['storage', 'trimmed', 'compacted', 'dropped', 'corrupt', 'panic']

/** A log, and what produces to it, consumes from it and looks after it. */
export class Kafka {
  private readonly options: OpenOptions
  private readonly shared: Shared
  private readonly listeners: Listeners<KafkaEvents>
  /** The browser is asked once. */
  private persist: boolean
  private connections = 0
  private unlisten: () => void = () => undefined

  constructor(config: KafkaConfig = {}) {
    const { clientId = 'headwater', name = 'headwater', wasm, logCreator = consoleLogCreator } = config
    refuseNetwork(config)
    validateNumbers(config, ['logLevel'])
    if (typeof name !== 'string' || name === '') throw new KafkaJSNonRetriableError(`Invalid name "${name}"`)
    const { type: storage, durability } = storageOf(config)
    if (wasm !== undefined) initialize(wasm)
    const logger = createLogger(config.logLevel ?? logLevel.WARN, logCreator)
    this.options = { name, storage }
    this.persist = config.persist === true && storage === 'indexeddb'
    this.listeners = new Listeners(logger, EVENTS)
    this.shared = {
      clientId,
      name,
      logger,
      durability,
      retry: retryOptions(config.retry),
      members: new Set(),
      connect: () => this.connect(),
    }
  }

  /** Sends records. */
  producer(config: ProducerConfig = {}): Producer {
    return new Producer(this.shared, config)
  }

  /** Reads records as a member of a group. */
  consumer(config: ConsumerConfig): Consumer {
    return new Consumer(this.shared, config)
  }

  /** Looks after topics, configurations, groups and offsets. */
  admin(_config: AdminConfig = {}): Admin {
    return new Admin(this.shared)
  }

  /** A topic whose values are checked by a schema. */
  topic<Schema extends StandardSchema>(
    name: string,
    options: TopicOptions<Schema> & { schema: Schema },
  ): Topic<SchemaInput<Schema>, SchemaOutput<Schema>>
  /** A topic whose values have a type. */
  topic<Value>(name: string, options?: TopicOptions<StandardSchema<unknown, Value>>): Topic<Value>
  topic(name: string, options?: TopicOptions): Topic<unknown> {
    validateTopic(name)
    return new Topic(name, options)
  }

  /** Delivers every record of a topic to a sink, from whichever tab's turn it is. */
  async forward(config: ForwardConfig): Promise<Forwarder> {
    return Forwarder.start(this.shared, config)
  }

  /** Hears of what becomes of the log; answers what stops that. */
  on<Name extends keyof KafkaEvents>(
    name: Name,
    listener: (event: KafkaEvents[Name]) => unknown,
  ): RemoveListener {
    return this.listeners.on(name, listener)
  }

  /** The logger that every client's logger comes from. */
  logger(): Logger {
    return this.shared.logger
  }

  private connect(): Connection {
    const node = use(this.options)
    if (this.persist) this.askToPersist()
    if (this.connections === 0) this.unlisten = node.onEvent((event) => this.heard(event))
    this.connections += 1
    let held = true
    return {
      node,
      release: () => {
        if (!held) return
        held = false
        this.connections -= 1
        if (this.connections === 0) this.unlisten()
        release(this.options)
      },
    }
  }

  private askToPersist(): void {
    this.persist = false
    const { logger } = this.shared
    const asked = globalThis.navigator?.storage?.persist?.() ?? Promise.resolve(false)
    asked
      .catch(() => false)
      .then((kept) => {
        if (!kept) logger.info('The browser may evict this log where the device runs low on room')
      })
  }

  private heard(event: NodeEvent): void {
    const { logger } = this.shared
    const message = String(event['message'] ?? '')
    switch (event.type) {
      case 'storage.degraded':
        logger.warn(`The log is in memory only, and will not outlive the page: ${message}`)
        this.listeners.tell('storage', { state: 'degraded', message })
        break
      case 'storage.blocked':
        logger.warn('Another tab holds an older database open: the log waits until that tab is closed')
        this.listeners.tell('storage', { state: 'blocked', message })
        break
      case 'storage.recovered':
        logger.info('The log is stored again')
        this.listeners.tell('storage', { state: 'recovered', message })
        break
      case 'log.trimmed':
        this.listeners.tell('trimmed', fieldsOf(event))
        break
      case 'log.compacted':
        this.listeners.tell('compacted', fieldsOf(event))
        break
      case 'log.dropped':
        logger.warn('The storage is full: the oldest records were given up', fieldsOf(event))
        this.listeners.tell('dropped', fieldsOf(event))
        break
      case 'log.corrupt':
        logger.error('Damaged records were set aside: readers go on after them', fieldsOf(event))
        this.listeners.tell('corrupt', fieldsOf(event))
        break
      case 'panic':
        logger.error(`headwater stopped by a defect, and opens the log again: ${message}`, {
          lost: event['lost'],
        })
        this.listeners.tell('panic', fieldsOf(event))
    }
  }
}

/** What KafkaJS is told of the network belongs to what a forwarder delivers to. */
function refuseNetwork(config: object): void {
  for (const name of ['ssl', 'sasl', 'socketFactory']) {
    if (!(config as Record<string, unknown>)[name]) continue
    throw new KafkaJSNotImplemented(
      `${name} means nothing here: there is no connection to a broker. See forward()`,
    )
  }
}

/** Where storage is forbidden, looking is enough to throw; opening it tells why, and goes on in memory. */
function hasIndexedDb(): boolean {
  try {
    return typeof indexedDB !== 'undefined'
  } catch {
    return true
  }
}

/** Where the log is kept, and what its appends wait for. */
function storageOf({ storage = {} }: KafkaConfig): {
  type: StorageType
  durability: Durability | undefined
} {
  const { type = hasIndexedDb() ? 'indexeddb' : 'memory', durability } =
    Object(storage) === storage ? (storage as StorageOptions) : { type: storage as StorageType }
  if (!['indexeddb', 'memory'].includes(type)) {
    throw new KafkaJSNonRetriableError(`Invalid storage "${type}": it is "indexeddb" or "memory"`)
  }
  if (durability !== undefined && !['relaxed', 'strict'].includes(durability)) {
    throw new KafkaJSNonRetriableError(
      `Invalid storage.durability "${durability}": it is "relaxed" or "strict"`,
    )
  }
  return { type, durability }
}

/** The fields of an event, which the wasm is known to send. */
function fieldsOf<Fields extends object>(event: NodeEvent): Fields {
  const { type: _type, ...fields } = event
  return fields as Fields
}
