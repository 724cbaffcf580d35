import type { Logger } from './logger.ts'
import type { NodeHandle } from './node.ts'
import type { RetryOptions } from './retry.ts'

/** What every client of one `Kafka` shares. */
export interface Shared {
  readonly clientId: string
  readonly logger: Logger
  readonly retry: Required<RetryOptions>
  /** Takes the node. */
  connect(): Connection
}

/** A use of the node, which ends with `release`. */
export interface Connection {
  readonly node: NodeHandle
  release(): void
}
