import type { Node } from '../generated/page-bindings.js'
import type { ProducerIdentity } from '../native/types.ts'
import { Client, type ConnectionPayloads } from './client.ts'
import { CompressionTypes, codecOf } from './compression.ts'
import { Acks, acksUnder } from './durability.ts'
import { fromNative, KafkaJSError, KafkaJSNonRetriableError } from './errors.ts'
import { Interceptors, type ProducerInterceptor } from './interceptors.ts'
import { late } from './loading.ts'
import {
  byTopic,
  type Choice,
  frame,
  type Message,
  type ProducerBatch,
  type ProducerRecord,
  type RecordMetadata,
} from './messages.ts'
import type { NodeHandle } from './node.ts'
import {
  type CreatePartitioner,
  DefaultPartitioner,
  type Partitioner,
  partitionMetadata,
} from './partitioners.ts'
import type { RetryOptions } from './retry.ts'
import type { Place } from './sender.ts'
import type { Connection, Shared } from './shared.ts'
import { abortable } from './signal.ts'
import type { Transaction, TransactionHost } from './transaction.ts'
import { validateAcks, validateChoice, validateMessages, validateNumbers } from './validate.ts'

/** How a producer is made. */
export interface ProducerConfig {
  /** Chooses partitions. Default: explicit, else murmur2 of the key, else in turn. */
  createPartitioner?: CreatePartitioner
  /** Create a topic at the first send to it. Default true. */
  allowAutoTopicCreation?: boolean
  /** The log never repeats an append, whatever this says; with it, `acks` must be -1, as in KafkaJS. Default false. */
  idempotent?: boolean
  /** Accepted and ignored: the log tries again by itself. An idempotent producer must allow one try, as in KafkaJS. */
  retry?: RetryOptions
  /** Accepted and ignored: one append at a time is in flight in each partition. */
  maxInFlightRequests?: number
  /** Accepted and ignored: a change of a topic is announced. */
  metadataMaxAge?: number
  /** Names the producer of transactions, over reloads: a younger producer of the same name fences the older. Default: none. */
  transactionalId?: string
  /** How long a transaction may stay open, in milliseconds. Default 60000. */
  transactionTimeout?: number
  /** Look at what is sent, in this order. Default none. */
  interceptors?: ProducerInterceptor[]
}

/** Names of a producer's events. Those of the network are never emitted: there is none. */
export interface ProducerEvents {
  readonly CONNECT: 'producer.connect'
  readonly DISCONNECT: 'producer.disconnect'
  readonly REQUEST: 'producer.network.request'
  readonly REQUEST_TIMEOUT: 'producer.network.request_timeout'
  readonly REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size'
}

const EVENTS: ProducerEvents = {
  CONNECT: 'producer.connect',
  DISCONNECT: 'producer.disconnect',
  REQUEST: 'producer.network.request',
  REQUEST_TIMEOUT: 'producer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size',
}

/** Sends records. */
export class Producer extends Client<ProducerEvents, ConnectionPayloads> {
  readonly events: ProducerEvents = EVENTS
  private readonly partitioner: Partitioner | undefined
  /** For transactions, which must know their partitions at once. */
  private readonly chooser: Partitioner
  private readonly create: boolean
  private readonly interceptors: Interceptors | undefined
  private state: 'disconnected' | 'connected' | 'disconnecting' = 'disconnected'
  private connection: Connection | undefined
  /** What waits for a partition count, and so is not on its way yet. */
  private readonly choosing = new Set<Promise<Choice>>()
  private open: { close(): Promise<void> } | undefined
  private identity: Promise<ProducerIdentity> | undefined

  /** @internal */
  constructor(
    private readonly shared: Shared,
    private readonly config: ProducerConfig,
  ) {
    super('Producer', shared.logger, EVENTS)
    if (config.idempotent === true && (config.retry?.retries ?? shared.retry.retries) < 1) {
      const message = 'Idempotent producer must allow retries to protect against transient errors'
      throw new KafkaJSNonRetriableError(message)
    }
    validateNumbers(config, ['transactionTimeout'])
    const create = config.createPartitioner ?? DefaultPartitioner
    this.chooser = create()
    // The log itself chooses as the default partitioner does, under the partition count at the time of the append.
    this.partitioner = create === DefaultPartitioner ? undefined : this.chooser
    this.create = Boolean(config.allowAutoTopicCreation ?? true)
    const { interceptors = [] } = config
    this.interceptors = interceptors.length === 0 ? undefined : new Interceptors(interceptors, this.log)
  }

  /** Opens the log. */
  async connect({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    this.connection ??= this.shared.connect()
    const { node } = this.connection
    await abortable(signal, () => node.callCore(() => undefined))
    this.state = 'connected'
    this.emitter.emit(EVENTS.CONNECT, null)
  }

  /**
   * Aborts an open transaction that is not being committed, waits until what was sent survives a power cut, then lets go
   * of the log. Once `signal` is aborted it waits no longer.
   */
  async disconnect({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const { connection } = this
    try {
      if (this.state !== 'connected' || connection === undefined) return
      this.state = 'disconnecting'
      await abortable(signal, async () => {
        await this.open?.close()
        await this.flushed(connection.node)
      })
    } finally {
      this.state = 'disconnected'
      this.connection = undefined
      this.identity = undefined
      connection?.release()
      this.emitter.emit(EVENTS.DISCONNECT, null)
    }
  }

  /**
   * Appends messages to a topic; resolves when they are as durable as `acks` asks for, with one entry a partition.
   * @throws KafkaJSNonRetriableError for malformed messages, KafkaJSProtocolError for what the log refuses
   */
  async send({ topic, messages, ...options }: ProducerRecord): Promise<RecordMetadata[]> {
    return this.sendBatch({ ...options, topicMessages: [{ topic, messages }] })
  }

  /** Appends messages to several topics. Entries of one topic are one append, in order. */
  async sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]> {
    const { topicMessages = [], acks = Acks.ALL, compression = 0, signal } = batch
    if (this.config.idempotent === true) this.checkAcks(acks)
    validateAcks(acks)
    for (const { topic, messages } of topicMessages) validateMessages(topic, messages)
    codecOf(compression)
    this.connected()
    const send = async ([topic, given]: [string, Message[]]) => {
      const messages = this.interceptors?.sending(topic, given) ?? given
      const appended = this.appended(topic, messages, acks, compression)
      if (acks !== Acks.NONE) return appended
      this.unacknowledged(topic, appended)
      return []
    }
    const all = await abortable(signal, () => Promise.all([...byTopic(topicMessages)].map(send)))
    return all.flat()
  }

  /**
   * Begins a transaction. The first one fences every older producer with this transactionalId.
   * @throws KafkaJSNonRetriableError without a `transactionalId`, and while another transaction is open
   */
  async transaction({ signal }: { signal?: AbortSignal } = {}): Promise<Transaction> {
    const { transactionalId, transactionTimeout: timeoutMs = 60_000 } = this.config
    if (typeof transactionalId !== 'string' || transactionalId === '') {
      throw new KafkaJSNonRetriableError('Must provide transactional id for transactional producer')
    }
    if (this.open !== undefined) {
      const message =
        'There is already an ongoing transaction for this producer. Please end the transaction before beginning another.'
      throw new KafkaJSNonRetriableError(message)
    }
    this.connected()
    // Nothing but its place is taken yet.
    const place = { close: async () => undefined }
    this.open = place
    try {
      const [{ Transaction }] = await abortable(signal, () =>
        Promise.all([late(), this.identify(transactionalId)]),
      )
      // It may have been disconnected meanwhile.
      this.connected()
      const transaction = new Transaction(this.host(transactionalId, timeoutMs))
      this.open = transaction
      return transaction
    } catch (error) {
      if (this.open === place) this.open = undefined
      throw error
    }
  }

  /** Resolves when everything that was sent before survives a power cut. */
  async flush({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const node = this.connected()
    await abortable(signal, () => this.flushed(node))
  }

  /** What a transaction needs of this producer. */
  private host(transactionalId: string, timeoutMs: number): TransactionHost {
    return {
      transactionalId,
      create: this.create,
      relaxed: this.shared.durability === 'relaxed',
      timeoutMs,
      node: () => this.connected(),
      identity: () => this.identify(transactionalId),
      prepare: (topic, messages, { acks = Acks.ALL, compression }) => {
        this.checkAcks(acks)
        codecOf(compression)
        return this.interceptors?.sending(topic, messages) ?? messages
      },
      choice: async (topic) => this.choice(topic, this.chooser),
      committed: (groupId, offsets) => {
        const members = [...this.shared.members].filter((member) => member.groupId === groupId)
        for (const { topic, partition, offset } of offsets) {
          for (const member of members) member.sent(topic, partition, offset)
        }
      },
      ended: () => {
        this.open = undefined
      },
    }
  }

  /** What the configuration says. */
  isIdempotent(): boolean {
    return this.config.idempotent ?? false
  }

  /** @internal Appends messages to one topic; answers where they went, batch by batch. */
  async append(topic: string, messages: Message[], acks: number, compression = 0): Promise<Place[]> {
    if (messages.length === 0) return []
    const { sender } = this.connected()
    // Who compresses comes with the late part of the wasm.
    const choice = this.choice(topic, this.partitioner, compression !== CompressionTypes.None)
    const choose = choice instanceof Promise ? await choice : choice
    const asked = acksUnder(this.shared.durability, acks)
    const send = () =>
      sender.send(topic, asked, this.create, (frames) => frame(frames, messages, choose), compression)
    return send().catch((error: unknown) => {
      // The storage was wiped: nothing is stored, and the topic is created as if it had never been. Where partitions
      // were chosen, some of them may be there, and have their part.
      const gone = fromNative(error).type === 'UNKNOWN_TOPIC_OR_PARTITION'
      const chosen = this.partitioner !== undefined || messages.some(({ partition }) => partition != null)
      if (!gone || chosen || !this.create) throw error
      return send()
    })
  }

  private async appended(
    topic: string,
    messages: Message[],
    acks: number,
    compression: number,
  ): Promise<RecordMetadata[]> {
    try {
      const metadata = describe(topic, await this.append(topic, messages, acks, compression))
      this.interceptors?.acknowledged(topic, metadata)
      return metadata
    } catch (error) {
      this.interceptors?.acknowledged(topic, [], error)
      throw error
    }
  }

  /** Nobody waits for these: they are lost if they cannot be stored, but not in silence. */
  private unacknowledged(topic: string, appended: Promise<unknown>): void {
    appended.catch((error: unknown) => {
      const { message } = fromNative(error)
      this.log.error(`Records that were sent with acks 0 were not stored: ${message}`, { topic })
    })
  }

  private connected(): NodeHandle {
    if (this.connection !== undefined && this.state === 'connected') return this.connection.node
    const message =
      this.state === 'disconnecting'
        ? "The producer is disconnecting; therefore, it can't safely accept messages anymore"
        : 'The producer is disconnected'
    throw new KafkaJSError(message, { retriable: false, kind: 'Closed' })
  }

  private checkAcks(acks: number): void {
    if (acks === Acks.ALL) return
    const message = "Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees"
    throw new KafkaJSNonRetriableError(message)
  }

  private identify(transactionalId: string): Promise<ProducerIdentity> {
    this.identity ??= this.connected().call((node) => node.initTransactions(transactionalId))
    const { identity } = this
    identity.catch(() => {
      if (this.identity === identity) this.identity = undefined
    })
    return identity
  }

  /** What chooses a message's partition; -1 leaves it to the log. */
  private choice(
    topic: string,
    partitioner: Partitioner | undefined,
    late = false,
  ): Choice | Promise<Choice> {
    const byLog: Choice = ({ partition }) => partition ?? -1
    if (partitioner === undefined && !late) return byLog
    const node = this.connected()
    const choose = async (open: Node): Promise<Choice> => {
      if (partitioner === undefined) return byLog
      const metadata = partitionMetadata(await open.partitions(topic, this.create))
      return (message) => validateChoice(topic, partitioner({ topic, partitionMetadata: metadata, message }))
    }
    const choice = late ? node.call(choose) : node.callCore(choose)
    this.choosing.add(choice)
    const chosen = () => this.choosing.delete(choice)
    choice.then(chosen, chosen)
    return choice
  }

  private async flushed(node: NodeHandle): Promise<void> {
    await Promise.allSettled(this.choosing)
    await node.flush()
  }
}

/** One entry a partition: where the first record went. */
function describe(topicName: string, places: Place[]): RecordMetadata[] {
  const first = new Map<number, Place>()
  for (const place of places) if (!first.has(place.partition)) first.set(place.partition, place)
  return [...first.values()].map(({ partition, baseOffset, logStartOffset, logAppendTime }) => ({
    topicName,
    partition,
    errorCode: 0,
    baseOffset: String(baseOffset),
    logAppendTime: String(logAppendTime),
    logStartOffset: String(logStartOffset),
  }))
}
