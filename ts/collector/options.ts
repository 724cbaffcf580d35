import type { CollectorSink, DeadLetterSink } from './sink.ts'
import type { Store } from './store.ts'

/** A topic and how many partitions it has. */
export interface CollectorTopic {
  topic: string
  partitions: number
}

/** What a request may carry. Whatever exceeds a limit is refused or set aside, never cut. */
export interface CollectorLimits {
  /** The bytes of a request, before and after it is decompressed. Default 4 MiB. */
  requestBytes: number
  /** The bytes of a batch; a larger one becomes a dead letter. Default 1 MiB. */
  batchBytes: number
  /** The batches of a request. Default 1,000. */
  batches: number
  /** The topics that are created because batches arrive for them. Default 1,000. */
  topics: number
  /** The partitions that such a topic gets at most. Default 100. */
  partitions: number
  /** The producer ids that an address may register in a minute. Default 120. */
  registrationsPerMinute: number
}

/** How a collector behaves. Either `store` or `sink` says where records go. */
export interface CollectorOptions {
  /** Keeps records in a log of the collector's own: a store, or the folder of one on disk. */
  store?: Store | string
  /** Hands records to a function, with their identity, at least once. */
  sink?: CollectorSink
  /** Beside a `sink`, takes batches that cannot be decoded or are over the limit; else they are refused. */
  deadLetter?: DeadLetterSink
  /** The write keys that are taken. Default: every one. */
  writeKeys?: readonly string[]
  /** The topics that there are. Default: a topic is created when the first batch for it arrives. */
  topics?: readonly (string | CollectorTopic)[]
  /** What is too much; each has a default. */
  limits?: Partial<CollectorLimits>
  /**
   * Signs the registrations of producers; all collectors of one sink need the same. Default: random, and kept in
   * the store, if there is one.
   */
  secret?: string | Uint8Array
  /** Asked of those who read records or look at the page. Default: anybody may. */
  readKey?: string
  /** Where a request comes from, which limits its registrations. Default: what the runtime says, if it does. */
  address?: (request: Request, info: unknown) => string | undefined
  /** The wasm, where a runtime does not compile bytes (Workers): `headwater/collector.wasm`. */
  wasm?: WebAssembly.Module
  /** Hears of what went wrong on this side: the store, the sink, a trapped wasm. */
  onError?: (error: unknown) => void
}

/** The options as the collector uses them. */
export interface Settings extends CollectorOptions {
  limits: CollectorLimits
  topics?: readonly CollectorTopic[]
  secret: Uint8Array
  onError: (error: unknown) => void
}

const LIMITS: CollectorLimits = {
  requestBytes: 4 << 20,
  batchBytes: 1 << 20,
  batches: 1_000,
  topics: 1_000,
  partitions: 100,
  registrationsPerMinute: 120,
}
const LIMIT_MAX = 2 ** 30
const PARTITIONS_MAX = 1_000
const TOPIC = /^[A-Za-z0-9._-]{1,245}$/

/** Checks the options, and fills in what they leave out. */
export function readOptions(options: CollectorOptions): Settings {
  const { store, sink, deadLetter, writeKeys, topics, limits, secret = '', readKey } = options
  if ((store === undefined) === (sink === undefined)) refuse('give either "store" or "sink"')
  if (sink !== undefined && typeof sink !== 'function') refuse('"sink" is a function')
  if (deadLetter !== undefined && sink === undefined) refuse('"deadLetter" stands beside a "sink"')
  if (writeKeys !== undefined && !(Array.isArray(writeKeys) && writeKeys.every(isKey))) {
    refuse('"writeKeys" is a list of keys that are not empty')
  }
  if (readKey !== undefined && !isKey(readKey)) refuse('"readKey" is not empty')
  if (store !== undefined && typeof store !== 'string' && typeof store?.write !== 'function') {
    refuse('"store" is a store, or the folder of one')
  }
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) refuse('"secret" is text or bytes')
  const { topics: _, ...rest } = options
  return {
    ...rest,
    ...(topics === undefined ? {} : { topics: topics.map(readTopic) }),
    limits: readLimits(limits ?? {}),
    secret: typeof secret === 'string' ? new TextEncoder().encode(secret) : secret,
    onError: options.onError ?? (() => undefined),
  }
}

/** A topic from its name, or its name and its count of partitions. */
export function readTopic(given: string | CollectorTopic): CollectorTopic {
  const { topic, partitions } = typeof given === 'string' ? { topic: given, partitions: 1 } : given
  if (typeof topic !== 'string' || !TOPIC.test(topic) || /^\.{1,2}$/.test(topic) || topic.endsWith('.dlq')) {
    refuse(`"${topic}" is no topic: letters, digits, ".", "_" and "-", 245 at most, and not ending in ".dlq"`)
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
    refuse(`topic "${topic}" cannot have ${partitions} partitions: 1 to ${PARTITIONS_MAX}`)
  }
  return { topic, partitions }
}

function readLimits(given: Partial<CollectorLimits>): CollectorLimits {
  const limits = { ...LIMITS }
  for (const name of Object.keys(given) as (keyof CollectorLimits)[]) {
    const value = given[name]
    if (!(name in LIMITS)) refuse(`there is no limit "${name}"`)
    if (value === undefined) continue
    if (!Number.isInteger(value) || value < 1 || value > LIMIT_MAX) {
      refuse(`the limit "${name}" is a whole number from 1 on, not ${value}`)
    }
    limits[name] = value
  }
  limits.partitions = Math.min(limits.partitions, PARTITIONS_MAX)
  return limits
}

function isKey(key: unknown): boolean {
  return typeof key === 'string' && key !== ''
}

function refuse(message: string): never {
  throw new TypeError(`createCollector: ${message}`)
}
