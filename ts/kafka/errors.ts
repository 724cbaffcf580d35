/** KafkaJS's errors under their names, with the `kind` that says what to do. */

import type { NativeError } from '../native/types.ts'

/** What the caller should do; see the README's table. */
export type ErrorKind = NativeError['kind']

/** What can be said of an error beyond its message. */
export interface ErrorDetails {
  retriable?: boolean
  cause?: unknown
  kind?: ErrorKind
  /** Kafka's name, or ours, such as `STORAGE_QUOTA_EXCEEDED`. */
  type?: string
  /** Kafka's number, or ours from 1000 on. */
  code?: number
}

/** What headwater throws. */
export class KafkaJSError extends Error {
  override readonly name: string = 'KafkaJSError'
  /** True only where the same call may succeed later without anything being changed. */
  readonly retriable: boolean
  readonly helpUrl: string | undefined
  readonly kind: ErrorKind
  readonly type: string | undefined
  readonly code: number | undefined

  constructor(error: Error | string, details: ErrorDetails = {}) {
    const cause = details.cause ?? (error instanceof Error ? error : undefined)
    super(typeof error === 'string' ? error : error.message, cause === undefined ? {} : { cause })
    this.retriable = details.retriable ?? true
    this.kind = details.kind ?? (this.retriable ? 'Unavailable' : 'Invalid')
    this.type = details.type
    this.code = details.code
  }
}

/** Waiting does not help: something must be changed. */
export class KafkaJSNonRetriableError extends KafkaJSError {
  override readonly name: string = 'KafkaJSNonRetriableError'

  constructor(error: Error | string, details: ErrorDetails = {}) {
    super(error, { ...details, retriable: false })
  }
}

/** An error of Kafka's protocol: `type` is its name, `code` its number. */
export class KafkaJSProtocolError extends KafkaJSError {
  override readonly name: string = 'KafkaJSProtocolError'
}

/** The offset is outside the partition. */
export class KafkaJSOffsetOutOfRange extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSOffsetOutOfRange'
  readonly topic: string | undefined
  readonly partition: number | undefined

  constructor(error: Error | string, details: ErrorDetails & { topic?: string; partition?: number } = {}) {
    super(error, details)
    this.topic = details.topic
    this.partition = details.partition
  }
}

/** It was tried as often as allowed. */
export class KafkaJSNumberOfRetriesExceeded extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSNumberOfRetriesExceeded'
  readonly retryCount: number
  readonly retryTime: number

  constructor(error: Error | string, details: ErrorDetails & { retryCount: number; retryTime: number }) {
    super(error, details)
    this.retryCount = details.retryCount
    this.retryTime = details.retryTime
  }
}

/** Something of KafkaJS that this version does not have, or that means nothing in a browser. */
export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSNotImplemented'
}

/** It took too long. */
export class KafkaJSTimeout extends KafkaJSError {
  override readonly name: string = 'KafkaJSTimeout'
}

/** There is no such broker: here, no such node. */
export class KafkaJSBrokerNotFound extends KafkaJSError {
  override readonly name: string = 'KafkaJSBrokerNotFound'
}

/** Several errors of one call. */
export class KafkaJSAggregateError extends Error {
  override readonly name: string = 'KafkaJSAggregateError'
  readonly errors: (Error | string)[]

  constructor(message: string, errors: (Error | string)[]) {
    super(message)
    this.errors = errors
  }
}

/** A topic was not created. */
export class KafkaJSCreateTopicError extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSCreateTopicError'
  readonly topic: string

  constructor(error: Error | string, topic: string, details: ErrorDetails = {}) {
    super(error, details)
    this.topic = topic
  }
}

/** Groups were not deleted. Nothing throws it yet; it is here so that KafkaJS code compiles. */
export class KafkaJSDeleteGroupsError extends KafkaJSError {
  override readonly name: string = 'KafkaJSDeleteGroupsError'
  readonly groups: { groupId: string; error: KafkaJSError }[]

  constructor(error: Error | string, groups: { groupId: string; error: KafkaJSError }[] = []) {
    super(error)
    this.groups = groups
  }
}

/** Records were not deleted. Nothing throws it yet; it is here so that KafkaJS code compiles. */
export class KafkaJSDeleteTopicRecordsError extends KafkaJSError {
  override readonly name: string = 'KafkaJSDeleteTopicRecordsError'
  readonly partitions: { partition: number; offset: string; error: KafkaJSError }[]

  constructor({
    partitions,
  }: {
    partitions: { partition: number; offset: string; error: KafkaJSError }[]
  }) {
    super('Error while deleting records')
    this.partitions = partitions
  }
}

/** The public error for whatever was thrown below. */
export function fromNative(thrown: unknown): KafkaJSError {
  if (thrown instanceof KafkaJSError) return thrown
  if (!isNative(thrown)) {
    const error = thrown instanceof Error ? thrown : String(thrown)
    return new KafkaJSError(error, { retriable: false, kind: 'Internal' })
  }
  const { message, kind, code: type, number: code, retriable } = thrown
  const details = { retriable, kind, type, code, cause: thrown }
  if (type === 'OFFSET_OUT_OF_RANGE') return new KafkaJSOffsetOutOfRange(message, details)
  const ofKafka = code >= 0 && code < OURS_FROM
  return ofKafka ? new KafkaJSProtocolError(message, details) : new KafkaJSError(message, details)
}

const OURS_FROM = 1_000

function isNative(thrown: unknown): thrown is NativeError {
  return thrown instanceof Error && typeof (thrown as Partial<NativeError>).number === 'number'
}
