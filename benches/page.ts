/** The measurements, run in a page. Each compares headwater with the raw browser API, turn by turn in one run. */

import { Kafka } from 'headwater'
import { createTracker } from 'headwater/tracker'

/** One figure: both sides in the same unit, and headwater's share of the raw one. */
export interface Figure {
  name: string
  unit: string
  headwater: number
  raw: number
  ratio: number
  /** What the ratio has to be, as text. */
  goal: string
  good: boolean
}

const RECORD_BYTES = 200
const BATCH_RECORDS = 1_000
type Durability = 'relaxed' | 'strict'

function open(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => request.result.createObjectStore('rows')
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function transact(
  database: IDBDatabase,
  durability: Durability,
  work: (store: IDBObjectStore) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction('rows', 'readwrite', { durability })
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    work(transaction.objectStore('rows'))
  })
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function higher(name: string, unit: string, headwater: number, raw: number, least: number): Figure {
  const ratio = headwater / raw
  return { name, unit, headwater, raw, ratio, goal: `>= ${least}`, good: ratio >= least }
}

function lower(name: string, unit: string, headwater: number, raw: number, most: number): Figure {
  const ratio = headwater / raw
  return { name, unit, headwater, raw, ratio, goal: `<= ${most}`, good: ratio <= most }
}

function payload(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(RECORD_BYTES))
}

/** What a batch of the same records weighs; with the same content, since databases compress. */
function rawBatch(value: Uint8Array): Uint8Array {
  const batch = new Uint8Array((RECORD_BYTES + 12) * BATCH_RECORDS)
  for (let index = 0; index < BATCH_RECORDS; index++) batch.set(value, index * (RECORD_BYTES + 12))
  return batch
}

/** Durable append of 200 B records, 1,000 a call, against rows of batches and rows of records. */
async function append(durability: Durability): Promise<Figure[]> {
  const acks = durability === 'strict' ? -1 : 1
  const database = await open(`bench-append-${durability}`)
  const producer = new Kafka({ name: `bench-append-${durability}` }).producer()
  await producer.connect()
  const value = payload()
  const messages = Array.from({ length: BATCH_RECORDS }, () => ({ value }))
  const batch = rawBatch(value)
  await producer.send({ topic: 'bench', messages, acks })
  const ours: number[] = []
  const batches: number[] = []
  const rows: number[] = []
  let key = 0
  // The engine compiles what is hot first.
  for (let round = 0; round < 20; round++) await producer.send({ topic: 'bench', messages, acks })
  for (let round = 0; round < 40; round++) {
    ours.push(await timed(() => producer.send({ topic: 'bench', messages, acks })))
    batches.push(await timed(() => transact(database, durability, (store) => void store.put(batch, key++))))
    if (round % 5 === 0) {
      const each = (store: IDBObjectStore) => {
        for (let index = 0; index < BATCH_RECORDS; index++) store.put(value, key++)
      }
      rows.push(await timed(() => transact(database, durability, each)))
    }
  }
  await producer.disconnect()
  database.close()
  const rate = (milliseconds: number[]) => (BATCH_RECORDS / median(milliseconds)) * 1_000
  return [
    higher(`append, ${durability}, against rows of batches`, 'records/s', rate(ours), rate(batches), 0.5),
    higher(`append, ${durability}, against a row a record`, 'records/s', rate(ours), rate(rows), 10),
  ]
}

/** One awaited send against one awaited put. */
async function single(durability: Durability): Promise<Figure> {
  const acks = durability === 'strict' ? -1 : 1
  const database = await open(`bench-single-${durability}`)
  const producer = new Kafka({ name: `bench-single-${durability}` }).producer()
  await producer.connect()
  const value = payload()
  const ours: number[] = []
  const raw: number[] = []
  // Ten at a time, one after another: a page's clock is as coarse as a tenth of a send.
  const block = 10
  for (let round = 0; round < 60; round++) {
    const sent = await timed(async () => {
      for (let each = 0; each < block; each++)
        await producer.send({ topic: 'bench', messages: [{ value }], acks })
    })
    const put = await timed(async () => {
      for (let each = 0; each < block; each++) {
        await transact(database, durability, (store) => void store.put(value, round * block + each))
      }
    })
    if (round < 10) continue
    ours.push(sent / block)
    raw.push(put / block)
  }
  await producer.disconnect()
  database.close()
  return lower(`single awaited send, ${durability}`, 'ms p50', median(ours), median(raw), 1.5)
}

/** Reading back through a consumer, against `getAll` of rows of batches. */
async function readBack(): Promise<Figure> {
  const total = 50 * BATCH_RECORDS
  const kafka = new Kafka({ name: 'bench-read' })
  const producer = kafka.producer()
  await producer.connect()
  const value = payload()
  const messages = Array.from({ length: BATCH_RECORDS }, () => ({ value }))
  const database = await open('bench-read-raw')
  const batch = rawBatch(value)
  for (let round = 0; round < 50; round++) {
    await producer.send({ topic: 'bench', messages, acks: 1 })
    await transact(database, 'relaxed', (store) => void store.put(batch, round))
  }
  const ours = await timed(async () => {
    const consumer = kafka.consumer({ groupId: 'bench' })
    await consumer.connect()
    await consumer.subscribe({ topics: ['bench'], fromBeginning: true })
    let read = 0
    await new Promise<void>((resolve) => {
      const eachMessage = async () => {
        read += 1
        if (read === total) resolve()
      }
      void consumer.run({ autoCommit: false, eachMessage })
    })
    void consumer.disconnect()
  })
  const raw = await timed(async () => {
    for (let from = 0; from < 50; from += 5) {
      await new Promise<void>((resolve) => {
        const store = database.transaction('rows').objectStore('rows')
        store.getAll(IDBKeyRange.bound(from, from + 4)).onsuccess = () => resolve()
      })
    }
  })
  await producer.disconnect()
  database.close()
  return higher('read back, eachMessage', 'records/s', (total / ours) * 1_000, (total / raw) * 1_000, 0)
}

/** What `track()` costs the main thread, against `JSON.stringify` of the same event alone. */
async function track(): Promise<Figure[]> {
  const tracker = createTracker({
    writeKey: 'bench',
    endpoint: 'http://127.0.0.1:9/v1/batches',
    name: 'bench-track',
  })
  await tracker.ready()
  const properties = { sku: 'A-113', price: 1299, currency: 'EUR', category: 'shoes', position: 7 }
  const ours: number[] = []
  const raw: number[] = []
  // Many a block: a page's clock is coarse.
  const block = 500
  for (let round = 0; round < 60; round++) {
    const start = performance.now()
    for (let index = 0; index < block; index++) tracker.track('Product Viewed', properties)
    const middle = performance.now()
    for (let index = 0; index < block; index++) JSON.stringify({ event: 'Product Viewed', properties, index })
    const end = performance.now()
    await tracker.flush()
    if (round < 10) continue
    ours.push(((middle - start) * 1_000) / block)
    raw.push(((end - middle) * 1_000) / block)
  }
  const ratio = median(ours) / median(raw)
  const p50 = median(ours)
  return [
    {
      name: 'track() against JSON.stringify',
      unit: 'us p50',
      headwater: p50,
      raw: median(raw),
      ratio,
      goal: 'p50 <= 20 us',
      good: p50 <= 20,
    },
  ]
}

/** The other end of `publishToReceive`: answers what it consumes on a channel. */
export async function echo(): Promise<void> {
  const channel = new BroadcastChannel('bench-echo')
  const consumer = new Kafka({ name: 'bench-tabs' }).consumer({ groupId: 'echo' })
  await consumer.connect()
  await consumer.subscribe({ topics: ['bench'], fromBeginning: true })
  void consumer.run({
    eachMessage: async ({ message }) =>
      channel.postMessage(new TextDecoder().decode(message.value ?? new Uint8Array())),
  })
  new BroadcastChannel('bench-raw').onmessage = ({ data }) => channel.postMessage(data)
}

/** From a durable send in one tab to the handler in another, against a bare BroadcastChannel. */
export async function publishToReceive(): Promise<Figure> {
  const producer = new Kafka({ name: 'bench-tabs' }).producer()
  await producer.connect()
  const answers = new BroadcastChannel('bench-echo')
  const raw = new BroadcastChannel('bench-raw')
  const ours: number[] = []
  const bare: number[] = []
  const answered = (id: string) =>
    new Promise<void>((resolve) => {
      answers.onmessage = ({ data }) => {
        if (data === id) resolve()
      }
    })
  for (let round = 0; round < 120; round++) {
    const sent = await timed(async () => {
      const answer = answered(`a${round}`)
      await Promise.all([
        producer.send({ topic: 'bench', messages: [{ value: `a${round}` }], acks: 1 }),
        answer,
      ])
    })
    const posted = await timed(async () => {
      const answer = answered(`b${round}`)
      raw.postMessage(`b${round}`)
      await answer
    })
    if (round < 20) continue
    ours.push(sent)
    bare.push(posted)
  }
  await producer.disconnect()
  return lower('publish to receive across tabs and back', 'ms p50', median(ours), median(bare), 8)
}

/** Everything that one tab can measure by itself. */
export async function alone(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const durability of ['relaxed', 'strict'] as const) {
    figures.push(...(await append(durability)))
    figures.push(await single(durability))
  }
  figures.push(await readBack())
  figures.push(...(await track()))
  return figures
}

Object.assign(globalThis, { bench: { alone, echo, publishToReceive } })
