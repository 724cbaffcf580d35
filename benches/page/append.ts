import { Kafka } from 'headwater'
import { type Figure, figure, median } from '../figure.ts'
import { type Durability, events, openDatabase, rawBatch, timed, transact } from './raw.ts'

const RECORD_BYTES = 200
const BATCH_RECORDS = 1_000
/** So many calls are timed together, one after another: a page's clock is as coarse as a tenth of a millisecond. */
const BLOCK = 4
const SINGLES = 10

/** Durable append of 200 B records, 1,000 a call, against rows of batches and rows of records. */
async function batches(durability: Durability): Promise<Figure[]> {
  const acks = durability === 'strict' ? -1 : 1
  const database = await openDatabase(`bench-append-${durability}`)
  const producer = new Kafka({ name: `bench-append-${durability}` }).producer()
  await producer.connect()
  const values = events(BATCH_RECORDS, RECORD_BYTES)
  const messages = values.map((value) => ({ value }))
  const batch = rawBatch(values)
  const ours: number[] = []
  const batches: number[] = []
  const rows: number[] = []
  let key = 0
  const send = () => producer.send({ topic: 'bench', messages, acks })
  const put = () => transact(database, durability, (store) => void store.put(batch, key++))
  const putEach = () =>
    transact(database, durability, (store) => {
      for (const value of values) store.put(value, key++)
    })
  for (let round = 0; round < 30; round++) {
    const sent = await each(BLOCK, send)
    const stored = await each(BLOCK, put)
    // The engine compiles what is hot first.
    if (round < 10) continue
    ours.push(sent)
    batches.push(stored)
    if (round % 3 === 0) rows.push(await each(1, putEach))
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

/** How long one of several calls takes, each begun when the one before has ended. */
async function each(count: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const all = await timed(async () => {
    for (let index = 0; index < count; index++) await work(index)
  })
  return all / count
}

/** One awaited send against one awaited put. */
async function single(durability: Durability): Promise<Figure> {
  const acks = durability === 'strict' ? -1 : 1
  const database = await openDatabase(`bench-single-${durability}`)
  const producer = new Kafka({ name: `bench-single-${durability}` }).producer()
  await producer.connect()
  const values = events(SINGLES, RECORD_BYTES)
  const ours: number[] = []
  const raw: number[] = []
  let key = 0
  for (let round = 0; round < 60; round++) {
    const sent = await each(SINGLES, (index) => {
      const [value = null] = values.slice(index)
      return producer.send({ topic: 'bench', messages: [{ value }], acks })
    })
    const put = await each(SINGLES, (index) =>
      transact(database, durability, (store) => void store.put(values[index], key++)),
    )
    if (round < 10) continue
    ours.push(sent)
    raw.push(put)
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
