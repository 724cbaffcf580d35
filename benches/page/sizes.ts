import { Kafka } from 'headwater'
import { type Figure, figure, median } from '../figure.ts'
import { events, openDatabase, rawBatch, rows, timed, transact } from './raw.ts'
import { consume } from './read.ts'

/** A call's records, their size, and how often it is measured. */
export interface Cell {
  records: number
  bytes: number
  rounds: number
}

/** What one fetch, and one `getAll` beside it, reads. */
const READ_BYTES = 1 << 20

/** Send and fetch by calls of one size, relaxed, against rows that weigh the same. */
export async function size({ records, bytes, rounds }: Cell): Promise<Figure[]> {
  const name = `bench-size-${records}-${bytes}`
  const kafka = new Kafka({ name })
  const producer = kafka.producer()
  await producer.connect()
  const database = await openDatabase(`${name}-raw`)
  const values = events(records, bytes)
  const messages = values.map((value) => ({ value }))
  const batch = rawBatch(values)
  const times = { send: [] as number[], put: [] as number[], fetch: [] as number[], get: [] as number[] }
  // The engine compiles what is hot first.
  const warm = Math.ceil(rounds / 4)
  for (let round = 0; round < warm + rounds; round++) {
    const send = await timed(() => producer.send({ topic: 'bench', messages, acks: 1 }))
    const put = await timed(() => transact(database, 'relaxed', (store) => void store.put(batch, round)))
    if (round < warm) continue
    times.send.push(send)
    times.put.push(put)
  }
  const total = (warm + rounds) * records
  const each = Math.max(1, Math.floor(READ_BYTES / batch.length))
  for (let round = 0; round < 3; round++) {
    times.fetch.push(await consume(kafka, 'bench', total, 'batch'))
    const read = async () => {
      for (let from = 0; from < warm + rounds; from += each) await rows(database, from, from + each - 1)
    }
    times.get.push(await timed(read))
  }
  await producer.disconnect()
  database.close()
  indexedDB.deleteDatabase(`${name}-raw`)
  const rate = (count: number, milliseconds: number[]) => (count / median(milliseconds)) * 1_000
  const what = `${records} x ${bytes} B a call, against rows of the same size`
  return [
    figure(`send, ${what}`, 'records/s', rate(records, times.send), rate(records, times.put), {
      // A call of few records is a transaction, whatever is in it: that is measured as a single send.
      ...(records >= 100 ? { ratio: { least: 0.8 } } : {}),
    }),
    figure(`fetch, ${what}`, 'records/s', rate(total, times.fetch), rate(total, times.get)),
  ]
}
