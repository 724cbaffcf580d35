import {
  type Consumer,
  type EachMessagePayload,
  Kafka,
  type KafkaMessage,
  logLevel,
  type Producer,
  type TopicPartition,
  type Transaction,
} from 'headwater'
import { sendNumbers } from './numbers.ts'

/** Where a transformer may be caught: two of these are inside of `commit()`, before and after the storage's own. */
export type Stage = 'begun' | 'sent' | 'offsets' | 'writing' | 'stored' | 'committed'

/** How a transformer is made. */
export interface Transforming {
  /** Its client id, and what it signs its output with. */
  name: string
  groupId: string
  input: string
  /** Each record read makes one in each of these. */
  outputs: string[]
  /** Begins the transactional ids; the partition that is read ends them. */
  transactionalId: string
  sessionTimeout: number
}

/** What the transformers tell the test. */
export type Told =
  | { kind: 'caught'; name: string; stage: Stage; id: string }
  | { kind: 'refused'; name: string; id: string; type: string }
  | { kind: 'crash'; name: string; error: string }

/** The stage at which the next record is caught, and whose. */
let armed: Stage | undefined
/** The record whose commit is under way. */
let committing: string | undefined
let named = ''

/** The server answers when the test lets go; in a page that is going the request fails, and nothing follows. */
async function tell(told: Told): Promise<void> {
  const body = JSON.stringify(told)
  await fetch('/', { method: 'POST', body }).catch(() => new Promise<never>(() => undefined))
}

async function reach(stage: Stage, id: string): Promise<void> {
  if (armed !== stage) return
  armed = undefined
  await tell({ kind: 'caught', name: named, stage, id })
}

/** The same, in the middle of what the library does: the page stands still until the test lets go. */
function reachNow(stage: Stage, id: string): void {
  if (armed !== stage) return
  armed = undefined
  const request = new XMLHttpRequest()
  request.open('POST', '/', false)
  request.send(JSON.stringify({ kind: 'caught', name: named, stage, id } satisfies Told))
}

/** Storage transactions that carry a record's output, told by its value. */
const carrying = new WeakMap<IDBTransaction, string>()

function watchStorage(): void {
  const { add, put } = IDBObjectStore.prototype
  const watched = (write: typeof add) =>
    function (this: IDBObjectStore, value: unknown, ...rest: [key?: IDBValidKey]): IDBRequest<IDBValidKey> {
      const mark = `output of ${committing}.`
      if (value instanceof Uint8Array && new TextDecoder('latin1').decode(value).includes(mark)) {
        carrying.set(this.transaction, committing ?? '')
      }
      return write.call(this, value, ...rest)
    }
  IDBObjectStore.prototype.add = watched(add)
  IDBObjectStore.prototype.put = watched(put)
  const { commit } = IDBTransaction.prototype
  IDBTransaction.prototype.commit = function () {
    const id = carrying.get(this)
    // All its writes were asked for.
    if (id !== undefined) reachNow('writing', id)
    commit.call(this)
  }
  const { transaction } = IDBDatabase.prototype
  IDBDatabase.prototype.transaction = function (...given) {
    const begun = transaction.apply(this, given)
    // Before the library itself hears of it.
    begun.addEventListener('complete', () => {
      const id = carrying.get(begun)
      if (id !== undefined) reachNow('stored', id)
    })
    return begun
  }
}

const text = (bytes: KafkaMessage['value']) => new TextDecoder().decode(bytes ?? new Uint8Array())

/** Consumes, transforms and produces, as docs/producing.md tells. */
class Transformer {
  private readonly kafka: Kafka
  private readonly consumer: Consumer
  private readonly producers = new Map<number, Producer>()

  constructor(private readonly options: Transforming) {
    const { name: clientId, groupId, sessionTimeout } = options
    this.kafka = new Kafka({ clientId, logLevel: logLevel.NOTHING })
    this.consumer = this.kafka.consumer({ groupId, sessionTimeout })
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => {
      void tell({ kind: 'crash', name: clientId, error: String((payload as { error: unknown }).error) })
    })
  }

  async start(): Promise<void> {
    await this.consumer.connect()
    await this.consumer.subscribe({ topics: [this.options.input], fromBeginning: true })
    await this.consumer.run({
      autoCommit: false,
      eachMessage: (payload) => this.transform(payload),
      onPartitionsAssigned: (places) => this.open(places),
      onPartitionsRevoked: (places) => this.close(places),
      // Another has them, with producers that have fenced these: a commit that is under way finds out by itself.
      onPartitionsLost: (places) => this.forget(places),
    })
  }

  assignment(): number[] {
    return this.consumer.assignment().map(({ partition }) => partition)
  }

  private async open(places: TopicPartition[]): Promise<void> {
    for (const { partition } of places) {
      const producer = this.kafka.producer({
        transactionalId: `${this.options.transactionalId}-${partition}`,
      })
      await producer.connect()
      this.producers.set(partition, producer)
    }
  }

  private async close(places: TopicPartition[]): Promise<void> {
    for (const { partition } of places) {
      await this.producers.get(partition)?.disconnect()
      this.producers.delete(partition)
    }
  }

  private async forget(places: TopicPartition[]): Promise<void> {
    for (const { partition } of places) this.producers.delete(partition)
  }

  private async transform({ topic, partition, message }: EachMessagePayload): Promise<void> {
    const id = text(message.value)
    try {
      const producer = this.producers.get(partition)
      if (producer === undefined) throw new Error(`partition ${partition} was not assigned`)
      await using transaction = await producer.transaction()
      await reach('begun', id)
      const value = `output of ${id}. By ${this.options.name}`
      for (const output of this.options.outputs) {
        await transaction.send({ topic: output, messages: [{ key: id, value }] })
      }
      await reach('sent', id)
      const offset = String(BigInt(message.offset) + 1n)
      const { consumer } = this
      await transaction.sendOffsets({ consumer, topics: [{ topic, partitions: [{ partition, offset }] }] })
      await reach('offsets', id)
      committing = id
      await transaction.commit()
      await reach('committed', id)
    } catch (error) {
      const { type = String(error) } = error as { type?: string }
      void tell({ kind: 'refused', name: named, id, type })
      throw error
    }
  }
}

let transformer: Transformer | undefined
/** The transaction that this page has begun beside it. */
let open: Transaction | undefined
const kafka = new Kafka({ clientId: 'desk', logLevel: logLevel.NOTHING })
const admin = kafka.admin()

async function ends(topic: string): Promise<Map<number, bigint>> {
  await admin.connect()
  const offsets = await admin.fetchTopicOffsets(topic)
  return new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]))
}

/** What the tests call in a page. */
export const line = {
  async create(topics: Record<string, number>): Promise<void> {
    await admin.connect()
    const wanted = Object.entries(topics).map(([topic, numPartitions]) => ({ topic, numPartitions }))
    await admin.createTopics({ topics: wanted })
  },

  send(topic: string, partitions: number, from: number, to: number): Promise<void> {
    return sendNumbers(kafka, topic, partitions, from, to)
  },

  async transform(options: Transforming): Promise<void> {
    named = options.name
    watchStorage()
    transformer = new Transformer(options)
    await transformer.start()
  },

  async assignment(): Promise<number[]> {
    return transformer?.assignment() ?? []
  },

  /** The next record that reaches this stage is told, and goes no further until the test lets go. */
  async arm(stage: Stage): Promise<void> {
    armed = stage
  },

  /** How many records the group has not committed. */
  async lag(groupId: string, topic: string): Promise<number> {
    const [high, [committed]] = await Promise.all([
      ends(topic),
      admin.fetchOffsets({ groupId, topics: [topic] }),
    ])
    const behind = (committed?.partitions ?? []).map(({ partition, offset }) => {
      return Number(high.get(partition) ?? 0n) - Math.max(0, Number(offset))
    })
    return behind.reduce((sum, lag) => sum + lag, 0)
  },

  /** Every committed record of a topic. */
  async read(topic: string): Promise<string[]> {
    const high = await ends(topic)
    const consumer = kafka.consumer({ groupId: `reader-${crypto.randomUUID()}`, readUncommitted: false })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    const values: string[] = []
    await new Promise<void>((resolve, reject) => {
      const left = new Map([...high].filter(([, end]) => end > 0n))
      if (left.size === 0) resolve()
      consumer
        .run({
          eachMessage: async ({ partition, message }) => {
            values.push(text(message.value))
            if (BigInt(message.offset) + 1n >= (left.get(partition) ?? 0n)) left.delete(partition)
            if (left.size === 0) resolve()
          },
        })
        .catch(reject)
    })
    await consumer.disconnect()
    return values
  },

  /** Begins a transaction with one record in it. */
  async begin(transactionalId: string, topic: string, value: string): Promise<void> {
    const producer = kafka.producer({ transactionalId })
    await producer.connect()
    open = await producer.transaction()
    await open.send({ topic, messages: [{ value }] })
  },

  /** Commits it; answers the type of the error, if there is one. */
  async commit(): Promise<string | undefined> {
    return open?.commit().then(
      () => undefined,
      (error: { type?: string }) => error.type ?? String(error),
    )
  },
}

export type Line = typeof line

declare global {
  /** What the tests call from outside. */
  var transforming: Line
}

globalThis.transforming = line
