/**
 * What crosses the boundary to the wasm. The classes are declared by wasm-bindgen (`generated/page-bindings.d.ts`);
 * here stands what it can only call `any`.
 */

/** A batch on its way to a sink. */
export interface WireBatch {
  topic: string
  partition: number
  /** How many partitions the topic has here. */
  partitions: number
  /** A Kafka record batch (format 2), under the delivery's identity. */
  bytes: Uint8Array
  /** The delivery's identity, as Kafka's idempotent producers have it; `baseSequence` is that of the first record. */
  producerId: bigint
  epoch: number
  baseSequence: number
  /** Offsets of the local log, both of them inside the batch. */
  firstOffset: bigint
  lastOffset: bigint
  /** True where one of the records may have been delivered before under another name. */
  uncertain: boolean
  /** The collector's signature of the producer id; empty where there is none yet. */
  signature: Uint8Array
  /** When it was signed, in milliseconds, by the collector's clock. */
  signedAt: number
  /** Where the records' parts lie in `bytes`, where the sink asked for decoded records. */
  index?: Float64Array | undefined
  /** How many records it has. */
  count: number
}

/** Why something was not stored. */
export interface DeliveryError {
  /** A name that does not change, such as `DISK_FULL`. */
  code: string
  message: string
  /** True where waiting helps. */
  retriable: boolean
}

/** What became of one batch. */
export interface DeliveryAnswer {
  /**
   * - `accepted`: it is stored; `duplicate`: it was before. Both let the forwarder go on.
   * - `deadLettered`: it cannot be stored, and was put aside where the receiver keeps such batches; it goes on.
   * - `unregistered`: the producer id is new; the same batch comes again with the `signature`.
   * - `outOfOrder`: the sequence is not the next one; it comes again under the next epoch, as uncertain.
   * - `diverged`, `fenced`: other records are stored under its identity, or a younger epoch has delivered; it comes
   *   again under a new producer id, as uncertain.
   * - `refused`: not stored for the `error`, which says whether waiting helps; `busy`: not now.
   */
  result:
    | 'accepted'
    | 'duplicate'
    | 'deadLettered'
    | 'unregistered'
    | 'diverged'
    | 'outOfOrder'
    | 'fenced'
    | 'refused'
    | 'busy'
  /** How many partitions the topic has where the batch went. */
  partitions?: number | undefined
  /** Vouches for the producer id, and when it was made, in milliseconds by the receiver's clock. */
  signature?: Uint8Array | undefined
  signedAt?: number | undefined
  error?: DeliveryError | undefined
  retryAfterMs?: number | undefined
}

/** What a sink answers: one answer a batch, in order, or why there is none. */
export interface Delivery {
  /** Empty where there is an `error`. */
  answers: DeliveryAnswer[]
  error?: DeliveryError | undefined
  /** How long to wait before the next request, in milliseconds. */
  retryAfterMs?: number | undefined
  /** The receiver's clock, in milliseconds. */
  time?: number | undefined
  /** The most bytes that the receiver takes in a request. */
  requestBytes?: number | undefined
  /** The most bytes that the receiver takes in a batch. */
  batchBytes?: number | undefined
}

/** How a sink is asked to deliver. */
export interface DeliverOptions {
  /** The page may be gone before the answer: the request must outlive it, and nothing may be waited for first. */
  keepalive: boolean
  /** Aborted when the forwarder is stopped. */
  signal: AbortSignal
}

/** Where a forwarder delivers. */
export interface Sink {
  /** Identifies the sink over reloads: a topic has one for good. */
  readonly id: string
  /** True where {@link WireBatch.index} is wanted, to decode records. */
  readonly decode?: boolean
  /** Takes batches; resolves with one answer each, in order. A rejection is a failure of the network: the same bytes come again. */
  deliver(batches: WireBatch[], options: DeliverOptions): Promise<Delivery>
}

/** What a node reports; the fields depend on the type. */
export interface NodeEvent {
  type: string
  [field: string]: unknown
}

/** What the wasm asks of its host. */
export interface Host {
  event(event: NodeEvent): void
  deliver(forwarder: number, batches: WireBatch[], keepalive: boolean): Promise<Delivery>
  /** Compresses bytes, or undoes it. */
  recode(compression: number, bytes: Uint8Array, compress: boolean): Promise<Uint8Array>
}

/** Records of one partition: a copy of their batches, and eight numbers a record that say what lies where. */
export interface Fetched {
  topic: string
  partition: number
  highWatermark: bigint
  /** What the offsets in `index` count from. */
  baseOffset: bigint
  bytes: Uint8Array
  /** Each record: offset, timestamp, key start, key length, value start, value length, headers start, headers. */
  index: Float64Array
  count: number
  /** Where the next fetch goes on: behind the last record, and behind what was deleted or is not for readers. */
  nextOffset?: bigint
}

/** What a group asks of a member; it goes on when the member has done it. */
export interface Rebalance {
  kind: 'assign' | 'revoke' | 'lost'
  /** What comes or goes now. */
  partitions: { topic: string; partitions: number[] }[]
  /** All that the member has after it. */
  assignment: { topic: string; partitions: number[] }[]
  memberId: string
  memberEpoch: number
  /** The member where it coordinates the group itself, else the node that does. */
  leaderId: string
  isLeader: boolean
  /** Why the group has put the member out for good. */
  error?: Error
}

/** How the wasm is asked for a consumer. Times are in milliseconds. */
export interface ConsumerOptions {
  clientId: string
  /** The page's address, without query and fragment. */
  url?: string
  sessionTimeout: number
  heartbeatInterval: number
  rebalanceTimeout: number
  instanceId?: string
  /** Names, the preferred first. */
  assignors: string[]
  /** What the first of {@link assignors} tells of this member. */
  metadata?: Uint8Array
  preferVisible: boolean
  readUncommitted: boolean
}

/** One consumer of the wasm. */
export interface NativeConsumer {
  subscribe(topic: string, fromBeginning: boolean): void
  updateSubscription(topics: { topic: string; fromBeginning: boolean }[]): void
  assign(
    partitions: { topic: string; partition: number; offset?: string; fromBeginning: boolean }[],
  ): Promise<void>
  /** Resolves when the member is in its group, and rejects when it may not be. */
  join(): Promise<void>
  /** The next step of the group; `undefined` once the consumer has left. */
  rebalance(): Promise<Rebalance | undefined>
  /** The step is done. */
  rebalanced(): void
  leave(): Promise<void>
  /**
   * One at a time: up to `bytesMax` of one partition, as soon as all partitions have `bytesMin`, or what there is after
   * `waitMs`; `undefined` where there is nothing then, and where it was woken.
   */
  fetch(bytesMax: number, bytesMin: number, waitMs: number): Promise<Fetched | undefined>
  wake(): void
  seek(topic: string, partition: number, offset: bigint): void
  pause(topic: string, partition: number): void
  resume(topic: string, partition: number): void
  /** The next offset to fetch; `undefined` where the partition is not assigned. */
  position(topic: string, partition: number): bigint | undefined
  commit(
    offsets: { topic: string; partition: number; offset: string; metadata?: string | null }[],
  ): Promise<unknown>
  free(): void
}

/** How a node is opened. */
export interface OpenOptions {
  name: string
  storage: 'indexeddb' | 'memory'
}

/** One partition's committed offset. */
export interface PartitionOffset {
  partition: number
  offset: string
  metadata: string | null | undefined
}

/** A group as the log describes it. */
export interface GroupRow {
  state: 'Empty' | 'Assigning' | 'Reconciling' | 'Stable' | 'Dead'
  epoch: number
  assignor: string
  /** The node that coordinates it. */
  coordinator: string
  members: MemberRow[]
}

/** A member as its group describes it. */
export interface MemberRow {
  memberId: string
  instanceId?: string | null | undefined
  clientId: string
  url: string
  visible: boolean
  epoch: number
  /** What it is subscribed to. */
  topics: string[]
  partitions: { topic: string; partitions: number[] }[]
}

/** A topic as the log describes it. */
export interface TopicDescription {
  name: string
  partitions: number
  configEntries: { name: string; value: string; isDefault: boolean }[]
  sink: string | null | undefined
}

/** Who a transactional producer is. */
export interface ProducerIdentity {
  producerId: bigint
  epoch: number
}

/** An offset to commit, as a decimal string. */
export interface NativeOffset {
  groupId: string
  topic: string
  partition: number
  offset: string
  metadata: string | undefined
}

/** What a transaction stores; each topic's records are framed. */
export interface NativeTransaction extends ProducerIdentity {
  transactionalId: string
  create: boolean
  /** It need not survive a power cut. */
  relaxed: boolean
  sends: { topic: string; frames: Uint8Array }[]
  offsets: NativeOffset[]
}

/** What the caller of something that failed should do; see the README's table. */
export type ErrorKind = 'Closed' | 'Fenced' | 'Full' | 'Invalid' | 'Unavailable' | 'Corrupt' | 'Internal'

/** What the wasm throws, and what of this folder fails in the same shape. */
export interface NativeError extends Error {
  kind: ErrorKind
  /** Kafka's name, or ours. */
  code: string
  /** Kafka's number, or ours from 1000 on. */
  number: number
  retriable: boolean
}
