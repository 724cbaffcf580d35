import { Kafka } from 'headwater'
import { events, openDatabase, rawBatch, rows, timed, transact } from './raw.ts'

/** The log and the database of these parts: large, and filled once. */
const NAME = 'bench-large'
const RECORD_BYTES = 1_000
const BATCH_RECORDS = 1_000
const BATCH_BYTES = RECORD_BYTES * BATCH_RECORDS

/** Fills the topic `big` of the log, and the raw database, with so many megabytes each. */
export async function fill(megabytes: number): Promise<void> {
  const producer = new Kafka({ name: NAME }).producer()
  await producer.connect()
  const database = await openDatabase(NAME)
  const values = events(BATCH_RECORDS, RECORD_BYTES)
  const messages = values.map((value) => ({ value }))
  const batch = rawBatch(values)
  for (let written = 0; written < megabytes; written++) {
    await producer.send({ topic: 'big', messages, acks: 1 })
    await transact(database, 'relaxed', (store) => void store.put(batch, written))
  }
  await producer.disconnect()
  database.close()
}

/** Adds topics to the log, and as many rows to the raw database, so that both have something to open. */
export async function addTopics(count: number): Promise<void> {
  const admin = new Kafka({ name: NAME }).admin()
  await admin.connect()
  const topics = Array.from({ length: count }, (_, index) => ({ topic: `topic-${index}` }))
  await admin.createTopics({ topics })
  await admin.disconnect()
  const database = await openDatabase(NAME)
  await transact(database, 'relaxed', (store) => {
    for (const { topic } of topics) store.put({ topic }, topic)
  })
  database.close()
}

/** Opens in a new page: until one record is appended, or by hand one row; the wasm comes from memory. */
export async function open(raw: boolean): Promise<number> {
  const [value = null] = events(1, RECORD_BYTES)
  return timed(async () => {
    if (raw) {
      const database = await openDatabase(NAME)
      await transact(database, 'relaxed', (store) => void store.put(value, 'opened'))
    } else {
      const producer = new Kafka({ name: NAME }).producer()
      await producer.connect()
      await producer.send({ topic: 'topic-0', messages: [{ value }], acks: 1 })
    }
  })
}

/** The names of all topics, which are the most that an open log has to tell. */
export async function listTopics(): Promise<number> {
  const admin = new Kafka({ name: NAME }).admin()
  await admin.connect()
  return (await admin.listTopics()).length
}

/** Reads all of `big`, or all rows by hand, a megabyte at a time; answers how many bytes the values had. */
export async function readAll(megabytes: number, raw: boolean): Promise<number> {
  let bytes = 0
  if (raw) {
    const database = await openDatabase(NAME)
    for (let at = 0; at < megabytes; at++) {
      for (const row of await rows(database, at, at)) bytes += row.length
    }
    database.close()
    return bytes
  }
  const consumer = new Kafka({ name: NAME }).consumer({ groupId: crypto.randomUUID() })
  await consumer.connect()
  await consumer.subscribe({ topics: ['big'], fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    const eachMessage = async ({ message }: { message: { value: Uint8Array | null } }) => {
      bytes += message.value?.length ?? 0
      if (bytes === megabytes * BATCH_BYTES) resolve()
    }
    consumer.run({ eachMessage }).catch(reject)
  })
  await consumer.disconnect()
  return bytes
}

/** The longest append, in milliseconds, of two times. */
export interface Blocks {
  before: number
  during: number
}

/** Appends a record every few milliseconds, before and while retention empties `big`. */
export async function retain(): Promise<Blocks & { trimmed: number }> {
  const kafka = new Kafka({ name: NAME })
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = [{ name: 'retention.bytes', value: String(BATCH_BYTES) }]
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: 'big', configEntries }] })
  const producer = kafka.producer()
  await producer.connect()
  const [value = null] = events(1, RECORD_BYTES)
  const [before, during] = [[] as number[], [] as number[]]
  let trimmed = 0
  let trimmedAt = Number.POSITIVE_INFINITY
  kafka.on('trimmed', ({ logStartOffset }) => {
    trimmed = Number(logStartOffset)
    trimmedAt = performance.now()
  })
  // It ends when nothing was deleted for two seconds.
  while (performance.now() < trimmedAt + 2_000) {
    const took = await timed(() => producer.send({ topic: 'topic-0', messages: [{ value }], acks: 1 }))
    ;(trimmed === 0 ? before : during).push(took)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await producer.disconnect()
  await admin.disconnect()
  return { before: Math.max(...before), during: Math.max(...during), trimmed }
}

/** The same by hand: rows are put while a transaction deletes all others. */
export async function retainRaw(megabytes: number): Promise<Blocks> {
  const database = await openDatabase(NAME)
  const [value = null] = events(1, RECORD_BYTES)
  const blocks: Blocks = { before: 0, during: 0 }
  let deleted: Promise<void> | undefined
  let over = false
  for (let round = 0; !over; round++) {
    const took = await timed(() => transact(database, 'relaxed', (store) => void store.put(value, 'put')))
    const when = deleted === undefined ? 'before' : 'during'
    blocks[when] = Math.max(blocks[when], took)
    if (round === 300) {
      const all = IDBKeyRange.bound(0, megabytes)
      deleted = transact(database, 'relaxed', (store) => void store.delete(all))
      void deleted.then(() => {
        over = true
      })
    }
    if (!over) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  database.close()
  return blocks
}
