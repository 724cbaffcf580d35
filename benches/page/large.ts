import { Kafka } from 'headwater'
import { events, openDatabase, rawBatch, rows, timed, transact } from './raw.ts'

/** The log and the database of these parts: large, and filled once. */
const NAME = 'bench-large'
const RECORD_BYTES = 1_000
const BATCH_RECORDS = 1_000
const BATCH_BYTES = RECORD_BYTES * BATCH_RECORDS
/** A page that is younger maintains nothing yet. */
const QUIET_MS = 25_000

/** Fills a topic of the log, and the raw database, with so many megabytes each. */
export async function fill(megabytes: number, topic = 'big'): Promise<void> {
  const producer = new Kafka({ name: NAME }).producer()
  await producer.connect()
  const database = await openDatabase(NAME)
  const values = events(BATCH_RECORDS, RECORD_BYTES)
  const messages = values.map((value) => ({ value }))
  const batch = rawBatch(values)
  for (let written = 0; written < megabytes; written++) {
    await producer.send({ topic, messages, acks: 1 })
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

/** Holds up who reads, so that what it has in hand can be looked at. */
class Stop {
  private read = 0
  private until = 0
  private reached: () => void = () => undefined
  private goOn: () => void = () => undefined

  /** Lets it read on, to so many bytes in all; resolves when it stands there. */
  at(bytes: number): Promise<void> {
    this.until = bytes
    const here = new Promise<void>((resolve) => {
      this.reached = resolve
    })
    this.goOn()
    return here
  }

  async pass(bytes: number): Promise<void> {
    this.read += bytes
    if (this.read < this.until) return
    const further = new Promise<void>((resolve) => {
      this.goOn = resolve
    })
    this.reached()
    await further
  }
}

let stop: Stop | undefined

/** Reads `big`, or rows by hand, a megabyte at a time, up to so many megabytes, and stays there with what it has in hand. */
export function readUpTo(megabytes: number, raw: boolean): Promise<void> {
  const begins = stop === undefined
  stop ??= new Stop()
  const stands = stop.at(megabytes * BATCH_BYTES)
  const failed = begins ? (raw ? readRows(stop) : readMessages(stop)) : new Promise<void>(() => undefined)
  return Promise.race([stands, failed])
}

async function readRows(stop: Stop): Promise<void> {
  const database = await openDatabase(NAME)
  for (let at = 0; ; at++) for (const row of await rows(database, at, at)) await stop.pass(row.length)
}

async function readMessages(stop: Stop): Promise<void> {
  const consumer = new Kafka({ name: NAME }).consumer({ groupId: crypto.randomUUID() })
  await consumer.connect()
  await consumer.subscribe({ topics: ['big'], fromBeginning: true })
  await consumer.run({ eachMessage: ({ message }) => stop.pass(message.value?.length ?? 0) })
  await new Promise(() => undefined)
}

/** The longest append, in milliseconds, of two times. */
export interface Blocks {
  before: number
  during: number
}

/** Appends a record every few milliseconds, before and while retention measures `big` and empties it. */
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
  kafka.on('trimmed', ({ logStartOffset }) => {
    trimmed = Number(logStartOffset)
  })
  let stored = Number.POSITIVE_INFINITY
  // The start moves at once, and the records go slice by slice: until there were no fewer than a second ago.
  for (let over = false, lookAt = 0; !over; ) {
    if (trimmed > 0 && performance.now() > lookAt) {
      const left = await count('batches')
      over = left >= stored
      stored = left
      lookAt = performance.now() + 1_000
    }
    const took = await timed(() => producer.send({ topic: 'topic-0', messages: [{ value }], acks: 1 }))
    ;(performance.now() < QUIET_MS ? before : during).push(took)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await producer.disconnect()
  await admin.disconnect()
  return { before: Math.max(...before), during: Math.max(...during), trimmed }
}

/** Appends a record every few milliseconds, before and while the topic `gone`, which was deleted, is removed. */
export async function remove(): Promise<Blocks> {
  const kafka = new Kafka({ name: NAME })
  const admin = kafka.admin()
  await admin.connect()
  const producer = kafka.producer()
  await producer.connect()
  const [value = null] = events(1, RECORD_BYTES)
  const blocks: Blocks = { before: 0, during: 0 }
  let over = false
  for (let round = 0; !over; round++) {
    const took = await timed(() => producer.send({ topic: 'topic-0', messages: [{ value }], acks: 1 }))
    const when = round <= 300 ? 'before' : 'during'
    blocks[when] = Math.max(blocks[when], took)
    if (round === 300) await admin.deleteTopics({ topics: ['gone'] })
    if (round > 300) over = (await count('meta', 'deleted/', 'deleted0')) === 0
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await producer.disconnect()
  await admin.disconnect()
  return blocks
}

/** How many rows of the log's own database begin so; all of a store without bounds. */
async function count(name: string, ...bounds: string[]): Promise<number> {
  const [from, to] = bounds.map((key) => new TextEncoder().encode(key))
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(`headwater/${NAME}`)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  try {
    const store = database.transaction(name).objectStore(name)
    const range = from === undefined ? undefined : IDBKeyRange.bound(from, to)
    return await new Promise((resolve, reject) => {
      const request = store.count(range)
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  } finally {
    database.close()
  }
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
