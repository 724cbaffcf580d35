/** What applications hand in, checked, with KafkaJS's words. */

import { KafkaJSNonRetriableError } from './errors.ts'

const EARLIEST = -2n
const LATEST = -1n

/** Checks what `send` is given. */
export function validateMessages(topic: unknown, messages: unknown): void {
  if (typeof topic !== 'string' || topic === '') throw new KafkaJSNonRetriableError('Invalid topic')
  if (!Array.isArray(messages)) {
    throw new KafkaJSNonRetriableError(`Invalid messages array [${messages}] for topic "${topic}"`)
  }
  for (const message of messages as unknown[]) validateMessage(topic, message)
}

/** Checks what a send waits for: anything else would be stored with less care than its caller believes. */
export function validateAcks(acks: unknown): void {
  if (acks === -1 || acks === 0 || acks === 1) return
  const details = { type: 'INVALID_REQUIRED_ACKS', code: 21 }
  throw new KafkaJSNonRetriableError(`Invalid acks, expected -1, 0 or 1, received ${acks}`, details)
}

function validateMessage(topic: string, message: unknown): void {
  const { key, value, headers, timestamp, partition } = Object(message) as Record<string, unknown>
  if (value === undefined) {
    const shown = JSON.stringify(message)
    throw new KafkaJSNonRetriableError(`Invalid message without value for topic "${topic}": ${shown}`)
  }
  if (!isBytes(value)) throw invalid(topic, 'value', 'a string or a Uint8Array or null', value)
  if (key !== undefined && !isBytes(key)) throw invalid(topic, 'key', 'a string or a Uint8Array or null', key)
  if (!isEmpty(timestamp) && !Number.isSafeInteger(Number(timestamp))) {
    throw invalid(topic, 'timestamp', 'milliseconds since 1970', timestamp)
  }
  if (partition !== undefined && partition !== null && !isInt32(partition)) {
    throw invalid(topic, 'partition', 'a number', partition)
  }
  if (headers !== undefined) validateHeaders(topic, headers)
}

function validateHeaders(topic: string, headers: unknown): void {
  // A `Map` or a page's `Headers` have no properties: what is in them would be lost in silence.
  if (Object(headers) !== headers || Symbol.iterator in (headers as object)) {
    throw invalid(topic, 'headers', 'an object', headers)
  }
  for (const [name, content] of Object.entries(headers as object)) {
    const values: unknown[] = Array.isArray(content) ? content : [content ?? '']
    if (!values.every(isBytes)) throw invalid(topic, `header "${name}"`, 'strings or Uint8Arrays', content)
  }
}

/** True of a timestamp that is none. */
export function isEmpty(timestamp: unknown): boolean {
  return timestamp === undefined || timestamp === null || timestamp === ''
}

/** The log would cut off what is beyond. */
function isInt32(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value
}

/** Checks what a partitioner chose: the log would take what is no number for partition 0. */
export function validateChoice(topic: string, partition: unknown): number {
  if (isInt32(partition)) return partition
  throw new KafkaJSNonRetriableError(
    `Invalid partition from the partitioner of topic "${topic}": ${partition}`,
  )
}

/** Checks the functions of a configuration that are given. */
export function validateFunctions(config: object, names: string[]): void {
  for (const name of names) {
    const value = (config as Record<string, unknown>)[name]
    if (value === undefined || value === null || typeof value === 'function') continue
    throw new KafkaJSNonRetriableError(`Invalid ${name}, expected a function, received ${value}`)
  }
}

/** Checks the numbers of a configuration that are given. */
export function validateNumbers(config: object, names: string[], least = 0): void {
  for (const name of names) {
    const value = (config as Record<string, unknown>)[name]
    if (value === undefined || (typeof value === 'number' && value >= least)) continue
    const message = `Invalid ${name}, expected a number from ${least} on, received ${value}`
    throw new KafkaJSNonRetriableError(message)
  }
}

function isBytes(value: unknown): boolean {
  if (typeof value === 'string' || value === null || value instanceof Uint8Array) return true
  // Bytes of another realm, such as a frame's or a test runner's, are bytes too.
  return Object.prototype.toString.call(value) === '[object Uint8Array]'
}

function invalid(topic: string, what: string, wanted: string, given: unknown): KafkaJSNonRetriableError {
  return new KafkaJSNonRetriableError(
    `Invalid message ${what} for topic "${topic}": expected ${wanted}, received ${given}`,
  )
}

/** The topics of a subscription, checked. */
export function validateSubscription(subscription: {
  topics?: unknown
  topic?: unknown
}): (string | RegExp)[] {
  const { topics, topic } = Object(subscription) as { topics?: unknown; topic?: unknown }
  if (!topic && !topics) throw new KafkaJSNonRetriableError('Missing required argument "topics"')
  if (topics !== undefined && topics !== null && !Array.isArray(topics)) {
    throw new KafkaJSNonRetriableError('Argument "topics" must be an array')
  }
  const all: unknown[] = (topics as unknown[] | null | undefined) ?? [topic]
  return all.map((each) => {
    if (typeof each === 'string' || each instanceof RegExp) return each
    const kind = typeof each
    const message = `Invalid topic ${each} (${kind}), the topic name has to be a String or a RegExp`
    throw new KafkaJSNonRetriableError(message)
  })
}

/** Checks a topic's name where it names one that exists. */
export function validateTopic(topic: unknown): void {
  if (typeof topic !== 'string' || topic === '') throw new KafkaJSNonRetriableError(`Invalid topic ${topic}`)
}

/** Checks that a group is the application's: a consumer among the forwarders would take partitions from them. */
export function validateOwner(groupId: string): void {
  if (groupId !== '__forwarder') return
  throw new KafkaJSNonRetriableError(`Invalid groupId ${groupId}, which is the forwarders'`)
}

/** Checks what `commitOffsets` is given. */
export function validateOffsets(offsets: unknown[]): void {
  for (const each of offsets) {
    const { topic, partition, offset, metadata = null } = Object(each) as Record<string, unknown>
    validatePlace(topic, partition)
    if (long(offset) < 0n) throw new KafkaJSNonRetriableError('Offset must not be a negative number')
    if (metadata !== null && typeof metadata !== 'string') {
      const message = `Invalid offset metadata, expected string or null, received ${metadata}`
      throw new KafkaJSNonRetriableError(message)
    }
  }
}

/** Checks what `seek` is given. */
export function validateSeek(target: unknown): void {
  const { topic, partition, offset } = Object(target) as Record<string, unknown>
  validatePlace(topic, partition)
  const value = long(offset)
  if (value < 0n && value !== EARLIEST && value !== LATEST) {
    throw new KafkaJSNonRetriableError('Offset must not be a negative number')
  }
}

/** Checks what `pause` and `resume` are given. */
export function validatePartitions(verb: 'pause' | 'resume', topics: unknown[]): void {
  for (const entry of topics) {
    const { topic, partitions } = Object(entry) as Record<string, unknown>
    if (typeof topic !== 'string' || topic === '') {
      throw new KafkaJSNonRetriableError(`Invalid topic ${topic || entry}`)
    }
    const wrong = partitions !== undefined && !(Array.isArray(partitions) && partitions.every(isPartition))
    if (wrong) {
      const message = `Array of valid partitions required to ${verb} specific partitions instead of ${partitions}`
      throw new KafkaJSNonRetriableError(message)
    }
  }
}

/** Checks partitions, each with its topic. */
export function validatePlaces(places: unknown[]): void {
  for (const place of places) {
    const { topic, partition } = Object(place) as Record<string, unknown>
    validatePlace(topic, partition)
  }
}

function validatePlace(topic: unknown, partition: unknown): void {
  validateTopic(topic)
  if (!isPartition(partition)) {
    throw new KafkaJSNonRetriableError(`Invalid partition, expected a number received ${partition}`)
  }
}

/** KafkaJS takes a number as text. */
function isPartition(value: unknown): boolean {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  return isInt32(number) && number >= 0
}

/** A whole number of 64 bits, from a decimal string, a bigint or a safe number. */
export function long(given: unknown, what = 'offset'): bigint {
  try {
    const long = BigInt(given as string)
    if (given !== '' && long === BigInt.asIntN(64, long)) return long
  } catch {
    // Said below.
  }
  throw new KafkaJSNonRetriableError(`Invalid ${what}, expected a long received ${given}`)
}
