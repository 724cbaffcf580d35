import { type Consumer, Kafka } from 'headwater'
import { events, handEach, now, openDatabase, rawBatch, rows, transact } from './raw.ts'

const NAME = 'bench-spread'
const RECORD_BYTES = 200
const BATCH_RECORDS = 1_000

/** What a tab handled, and when it handled its last. */
export interface Share {
  records: number
  end: number
}

const share: Share = { records: 0, end: 0 }
let open: () => void = () => undefined
let consumer: Consumer | undefined

/** Fills a topic of so many partitions with so many batches each, and as many raw rows. */
export async function spread(partitions: number, batches: number): Promise<void> {
  const kafka = new Kafka({ name: NAME })
  const [admin, producer] = [kafka.admin(), kafka.producer()]
  await Promise.all([admin.connect(), producer.connect()])
  await admin.createTopics({ topics: [{ topic: 'spread', numPartitions: partitions }] })
  const database = await openDatabase(NAME)
  const values = events(BATCH_RECORDS, RECORD_BYTES)
  const batch = rawBatch(values)
  for (let partition = 0; partition < partitions; partition++) {
    const messages = values.map((value) => ({ value, partition }))
    for (let each = 0; each < batches; each++) {
      await producer.send({ topic: 'spread', messages, acks: 1 })
      await transact(database, 'relaxed', (store) => void store.put(batch, partition * batches + each))
    }
  }
  await Promise.all([admin.disconnect(), producer.disconnect()])
  database.close()
}

/** Joins a group that reads the topic; its handler waits until `start`. */
export async function ready(groupId: string): Promise<void> {
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  let isOpen = false
  void gate.then(() => {
    isOpen = true
  })
  consumer = new Kafka({ name: NAME }).consumer({ groupId })
  await consumer.connect()
  await consumer.subscribe({ topics: ['spread'], fromBeginning: true })
  const eachMessage = async () => {
    if (!isOpen) await gate
    share.records += 1
    share.end = now()
  }
  await consumer.run({ eachMessage, partitionsConsumedConcurrently: 1 })
}

export function start(): number {
  open()
  return now()
}

export async function finish(): Promise<void> {
  await consumer?.disconnect()
}

export function handled(): Share {
  return share
}

/** Reads rows by hand, from the first to before the last. */
export async function readRaw(first: number, last: number): Promise<Share & { start: number }> {
  const database = await openDatabase(NAME)
  const raw: Share = { records: 0, end: 0 }
  const start = now()
  for (let from = first; from < last; from += 5) {
    for (const row of await rows(database, from, Math.min(from + 5, last) - 1)) {
      await handEach(row, async () => {
        raw.records += 1
        raw.end = now()
      })
    }
  }
  database.close()
  return { ...raw, start }
}
