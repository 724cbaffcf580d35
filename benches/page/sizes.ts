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

/**
 * Send and fetch by calls of one size, relaxed, against rows that weigh the same. Who stores rows by hand has values too,
 * and must make one row of them: that is in the time of what `send` is compared with. What the same row takes that was
 * encoded before stands beside it. Neither has a checksum, an offset or an index, which `send` makes.
 */
export async function size({ records, bytes, rounds }: Cell): Promise<Figure[]> {
  const name = `bench-size-${records}-${bytes}`
  const kafka = new Kafka({ name })
  const producer = kafka.producer()
  await producer.connect()
  const database = await openDatabase(`${name}-raw`)
  const values = events(records, bytes)
  const messages = values.map((value) => ({ value }))
  const batch = rawBatch(values)
  const times = {
    send: [] as number[],
    put: [] as number[],
    encoded: [] as number[],
    fetch: [] as number[],
    get: [] as number[],
  }
  // The engine compiles what is hot first.
  const warm = Math.ceil(rounds / 4)
  for (let round = 0; round < warm + rounds; round++) {
    const sides = [
      ['send', () => producer.send({ topic: 'bench', messages, acks: 1 })],
      ['put', () => transact(database, 'relaxed', (store) => void store.put(rawBatch(values), round))],
      ['encoded', () => transact(database, 'relaxed', (store) => void store.put(batch, -1 - round))],
    ] as const
    // What one leaves to be done in the background is not always the same one's burden.
    const order = round % 2 === 0 ? sides : sides.toReversed()
    for (const [side, work] of order) {
      const time = await timed(work)
      if (round >= warm) times[side].push(time)
    }
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
  const what = `${records} x ${bytes} B a call, against`
  const sent = rate(records, times.send)
  return [
    figure(`send, ${what} a row made of them`, 'records/s', sent, rate(records, times.put), {
      // A call of few records is a transaction, whatever is in it: that is measured as a single send.
      ...(records >= 100 ? { ratio: { least: 0.8 } } : {}),
    }),
    figure(`send, ${what} a row made before`, 'records/s', sent, rate(records, times.encoded)),
    figure(
      `fetch, ${what} rows of the same size`,
      'records/s',
      rate(total, times.fetch),
      rate(total, times.get),
    ),
  ]
}
