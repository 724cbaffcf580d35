import type { Durability } from './durability.ts'
import type { Logger } from './logger.ts'
import type { NodeHandle } from './node.ts'
import type { RetryOptions } from './retry.ts'

/** What every client of one `Kafka` shares. */
export interface Shared {
  readonly clientId: string
  /** The log's name. */
  readonly name: string
  readonly logger: Logger
  readonly retry: Required<RetryOptions>
  /** What appends wait for, whatever their acks; `undefined` where those decide. */
  readonly durability: Durability | undefined
  /** The consumers that have joined their groups. */
  readonly members: Set<GroupMember>
  /** Takes the node. */
  connect(): Connection
}

/** A consumer that has joined its group. */
export interface GroupMember {
  readonly groupId: string
  /** The offset was given to a transaction, to be committed with it. */
  sent(topic: string, partition: number, offset: string): void
}

/** A use of the node, which ends with `release`. */
export interface Connection {
  readonly node: NodeHandle
  release(): void
}
