import { Kafka } from 'headwater'
import { type Figure, figure, median } from '../figure.ts'
import { type Durability, openDatabase, payload, rawBatch, timed, transact } from './raw.ts'

const RECORD_BYTES = 200
const BATCH_RECORDS = 1_000

/** Durable append of 200 B records, 1,000 a call, against rows of batches and rows of records. */
async function batches(durability: Durability): Promise<Figure[]> {
  const acks = durability === 'strict' ? -1 : 1
  const database = await openDatabase(`bench-append-${durability}`)
  const producer = new Kafka({ name: `bench-append-${durability}` }).producer()
  await producer.connect()
  const value = payload(RECORD_BYTES)
  const messages = Array.from({ length: BATCH_RECORDS }, () => ({ value }))
  const batch = rawBatch(value, BATCH_RECORDS)
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
  const name = `append 1,000 x 200 B, ${durability}, against`
  return [
    figure(`${name} one row of all`, 'records/s', rate(ours), rate(batches), { ratio: { least: 0.8 } }),
    figure(`${name} a row a record`, 'records/s', rate(ours), rate(rows), { ratio: { least: 10 } }),
  ]
}

/** One awaited send against one awaited put. */
async function single(durability: Durability): Promise<Figure> {
  const acks = durability === 'strict' ? -1 : 1
  const database = await openDatabase(`bench-single-${durability}`)
  const producer = new Kafka({ name: `bench-single-${durability}` }).producer()
  await producer.connect()
  const value = payload(RECORD_BYTES)
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
  const goal = { ratio: { most: 1.5 } }
  return figure(`single awaited send, ${durability}`, 'ms p50', median(ours), median(raw), goal)
}

export async function append(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const durability of ['relaxed', 'strict'] as const) {
    figures.push(...(await batches(durability)))
    figures.push(await single(durability))
  }
  return figures
}
