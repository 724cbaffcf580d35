/** KafkaJS's errors under their names, with the `kind` that says what to do. */

import type { ErrorKind, NativeError } from '../native/types.ts'

/** What can be said of an error beyond its message. What is left out is taken from the error that it is made of. */
export interface ErrorDetails {
  /** Default true, except where the class says otherwise. */
  retriable?: boolean
  /** Default: the error that it is made of. */
  cause?: unknown
  /** Default `Unavailable` where it is retriable, else `Invalid`. */
  kind?: ErrorKind
  /** Kafka's name, or ours, such as `STORAGE_QUOTA_EXCEEDED`. */
  type?: string
  /** Kafka's number, or ours from 1000 on. */
  code?: number
  /** Where to read more. */
  helpUrl?: string
}

/** What headwater throws. */
export class KafkaJSError extends Error {
  override readonly name: string = 'KafkaJSError'
  /** True only where the same call may succeed later without anything being changed. */
  readonly retriable: boolean
  /** Where to read more, if there is anything. */
  readonly helpUrl: string | undefined
  /** What the caller should do. */
  readonly kind: ErrorKind
  /** Kafka's name, or ours, such as `STORAGE_QUOTA_EXCEEDED`. */
  readonly type: string | undefined
  /** Kafka's number, or ours from 1000 on. */
  readonly code: number | undefined

  constructor(error: Error | string, details: ErrorDetails = {}) {
    const of = error instanceof Error ? error : undefined
    const { cause = of, retriable = true, kind, type, code, helpUrl } = details
    super(of?.message ?? (error as string), cause === undefined ? {} : { cause })
    const origin = of instanceof KafkaJSError ? of : undefined
    this.retriable = retriable
    this.helpUrl = helpUrl ?? origin?.helpUrl
    this.kind = kind ?? origin?.kind ?? (retriable ? 'Unavailable' : 'Invalid')
    this.type = type ?? origin?.type
    this.code = code ?? origin?.code
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

  constructor(error: Error | string, details: ErrorDetails = {}) {
    const { retriable = (Object(error) as ErrorDetails).retriable ?? true } = details
    super(error, { ...details, retriable })
  }
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
  /** The wait that would have come next, in milliseconds. */
  readonly retryTime: number

  constructor(error: Error | string, details: ErrorDetails & { retryCount: number; retryTime: number }) {
    super(error, details)
    this.retryCount = details.retryCount
    this.retryTime = details.retryTime
  }
}

/** Something of KafkaJS that headwater does not have, since it means nothing in a browser; the message says why. */
export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSNotImplemented'
}

/** It took too long. */
export class KafkaJSTimeout extends KafkaJSNonRetriableError {
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

/** Some of the groups were not deleted; the others were. Retriable where that is true of each of the errors. */
export class KafkaJSDeleteGroupsError extends KafkaJSError {
  override readonly name: string = 'KafkaJSDeleteGroupsError'
  readonly groups: { groupId: string; errorCode?: number; error: KafkaJSError }[]

  constructor(
    error: Error | string,
    groups: { groupId: string; errorCode?: number; error: KafkaJSError }[] = [],
    details: ErrorDetails = {},
  ) {
    super(error, details)
    this.groups = groups
  }
}

/** A partition whose records were not deleted. */
export interface UndeletedRecords {
  partition: number
  offset: string
  error: KafkaJSError
}

/** Records were not deleted; retriable where that is true of each of the errors. */
export class KafkaJSDeleteTopicRecordsError extends KafkaJSError {
  override readonly name: string = 'KafkaJSDeleteTopicRecordsError'
  readonly partitions: UndeletedRecords[]

  constructor({ partitions }: { partitions: UndeletedRecords[] }) {
    super('Error while deleting records', {
      retriable: partitions.every(({ error }) => error.retriable),
    })
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

/** What is known of a topic that was deleted. */
export function nothingOf(error: unknown): never[] {
  if (fromNative(error).type !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
  return []
}

const OURS_FROM = 1_000

function isNative(thrown: unknown): thrown is NativeError {
  return thrown instanceof Error && typeof (thrown as Partial<NativeError>).number === 'number'
}
