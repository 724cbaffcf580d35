/**
 * Errors of KafkaJS that nothing here throws: there is no network, no broker and no authentication. They are here
 * so that code which asks `instanceof` for one of them compiles and runs; a bundler drops those that it does not name.
 */

import { KafkaJSError, KafkaJSNonRetriableError, KafkaJSProtocolError, KafkaJSTimeout } from './errors.ts'

/** An error of KafkaJS that has properties of its own. */
class Detailed extends KafkaJSError {
  constructor(error: Error | string, details: object = {}) {
    super(error)
    Object.assign(this, details)
  }
}

/** Never thrown here. */
export class KafkaJSMetadataNotLoaded extends Detailed {
  override readonly name: string = 'KafkaJSMetadataNotLoaded'
}

/** Never thrown here. */
export class KafkaJSTopicMetadataNotLoaded extends KafkaJSMetadataNotLoaded {
  override readonly name: string = 'KafkaJSTopicMetadataNotLoaded'
}

/** Never thrown here. */
export class KafkaJSStaleTopicMetadataAssignment extends Detailed {
  override readonly name: string = 'KafkaJSStaleTopicMetadataAssignment'
}

/** Never thrown here. */
export class KafkaJSMemberIdRequired extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSMemberIdRequired'
}

/** Never thrown here. */
export class KafkaJSGroupCoordinatorNotFound extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSGroupCoordinatorNotFound'
}

/** Never thrown here. */
export class KafkaJSLockTimeout extends KafkaJSTimeout {
  override readonly name: string = 'KafkaJSLockTimeout'
}

/** Never thrown here. */
export class KafkaJSRequestTimeoutError extends Detailed {
  override readonly name: string = 'KafkaJSRequestTimeoutError'
}

/** Never thrown here. */
export class KafkaJSInvariantViolation extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSInvariantViolation'
}

/** Never thrown here. */
export class KafkaJSConnectionError extends Detailed {
  override readonly name: string = 'KafkaJSConnectionError'
}

/** Never thrown here. */
export class KafkaJSConnectionClosedError extends KafkaJSConnectionError {
  override readonly name: string = 'KafkaJSConnectionClosedError'
}

/** Never thrown here. */
export class KafkaJSSASLAuthenticationError extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSSASLAuthenticationError'
}

/** Never thrown here. */
export class KafkaJSServerDoesNotSupportApiKey extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSServerDoesNotSupportApiKey'

  constructor(error: Error | string, details: object = {}) {
    super(error)
    Object.assign(this, details)
  }
}

/** Never thrown here. */
export class KafkaJSPartialMessageError extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSPartialMessageError'
}

/** Never thrown here. */
export class KafkaJSUnsupportedMagicByteInMessageSet extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSUnsupportedMagicByteInMessageSet'
}

/** Never thrown here. */
export class KafkaJSNoBrokerAvailableError extends KafkaJSError {
  override readonly name: string = 'KafkaJSNoBrokerAvailableError'
}

/** Never thrown here. */
export class KafkaJSAlterPartitionReassignmentsError extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSAlterPartitionReassignmentsError'
}
