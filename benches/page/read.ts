import { Kafka } from 'headwater'
import { type Figure, figure, median } from '../figure.ts'
import { events, handEach, openDatabase, rawBatch, rows, timed, transact } from './raw.ts'

const RECORD_BYTES = 200
const BATCH_RECORDS = 1_000
/** So many rows a `getAll`: what a fetch reads at once. */
const ROWS = 5

/**
 * Reads a topic with a new group, and answers how long it took from the first assignment to the last record: what a
 * join costs is another figure.
 */
export async function consume(
  kafka: Kafka,
  topic: string,
  total: number,
  by: 'message' | 'batch',
): Promise<number> {
  const consumer = kafka.consumer({ groupId: crypto.randomUUID() })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  let read = 0
  let start = 0
  let end = 0
  await new Promise<void>((resolve, reject) => {
    const handled = (count: number) => {
      read += count
      if (read !== total) return
      end = performance.now()
      resolve()
    }
    const eachMessage = async () => handled(1)
    const eachBatch = async ({ batch }: { batch: { messages: unknown[] } }) => handled(batch.messages.length)
    const onPartitionsAssigned = (partitions: unknown[]) => {
      if (partitions.length > 0) start = performance.now()
    }
    const handler = by === 'message' ? { eachMessage } : { eachBatch }
    consumer.run({ autoCommit: false, onPartitionsAssigned, ...handler }).catch(reject)
  })
  await consumer.disconnect()
  return end - start
}

/** Reading 100,000 records back, against `getAll` of the same bytes: decoded by hand, and not decoded at all. */
export async function read(): Promise<Figure[]> {
  const batches = 100
  const total = batches * BATCH_RECORDS
  const kafka = new Kafka({ name: 'bench-read' })
  const producer = kafka.producer()
  await producer.connect()
  const values = events(BATCH_RECORDS, RECORD_BYTES)
  const messages = values.map((value) => ({ value }))
  const database = await openDatabase('bench-read-raw')
  const batch = rawBatch(values)
  for (let round = 0; round < batches; round++) {
    await producer.send({ topic: 'bench', messages, acks: 1 })
    await transact(database, 'relaxed', (store) => void store.put(batch, round))
  }
  const raw = (decode: boolean) =>
    timed(async () => {
      let handled = 0
      const handler = async () => {
        handled += 1
      }
      for (let from = 0; from < batches; from += ROWS) {
        for (const row of await rows(database, from, from + ROWS - 1)) {
          if (decode) await handEach(row, handler)
          else handled += BATCH_RECORDS
        }
      }
      if (handled !== total) throw new Error(`${handled} records were read of ${total}`)
    })
  const times = {
    message: [] as number[],
    batch: [] as number[],
    decoded: [] as number[],
    bytes: [] as number[],
  }
  for (let round = 0; round < 8; round++) {
    const message = await consume(kafka, 'bench', total, 'message')
    const decoded = await raw(true)
    const batch = await consume(kafka, 'bench', total, 'batch')
    const bytes = await raw(false)
    // The engine compiles what is hot first.
    if (round < 2) continue
    times.message.push(message)
    times.decoded.push(decoded)
    times.batch.push(batch)
    times.bytes.push(bytes)
  }
  await producer.disconnect()
  database.close()
  const rate = (milliseconds: number[]) => (total / median(milliseconds)) * 1_000
  const { message, batch: byBatch, decoded, bytes } = times
  const name = 'read 200 B,'
  return [
    // Half of what a loop by hand reaches, or this many: whichever is less.
    figure(
      `${name} eachMessage, against rows decoded and handled by hand`,
      'records/s',
      rate(message),
      rate(decoded),
      {
        value: { least: Math.min(300_000, rate(decoded) / 2) },
      },
    ),
    figure(`${name} eachMessage, against rows not decoded`, 'records/s', rate(message), rate(bytes)),
    figure(`${name} eachBatch, against rows not decoded`, 'records/s', rate(byBatch), rate(bytes)),
  ]
}
