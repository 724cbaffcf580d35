import { Kafka } from 'headwater'
import { type Figure, figure, median } from '../figure.ts'
import { events } from './raw.ts'
import { consume } from './read.ts'

const RECORDS = 5_000
const RECORD_BYTES = 200
const ROUNDS = 7
/** So many records a row: what compaction may leave of large rows, and what single sends write. */
const SPARSE = [1, 2, 5, 20]

/** Reading records that lie few in a row, against the same ones in rows of a thousand. */
export async function sparse(): Promise<Figure[]> {
  const kafka = new Kafka({ name: 'bench-sparse' })
  const producer = kafka.producer()
  await producer.connect()
  const messages = events(RECORDS, RECORD_BYTES).map((value) => ({ value }))
  const topics = [...SPARSE, 1_000].map((each) => ({ topic: `rows-of-${each}`, each }))
  const times = new Map<string, number[]>()
  for (const { topic, each } of topics) {
    times.set(topic, [])
    for (let from = 0; from < RECORDS; from += each) {
      await producer.send({ topic, messages: messages.slice(from, from + each), acks: 1 })
    }
  }
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { topic } of topics) {
      const time = await consume(kafka, topic, RECORDS, 'message')
      // The engine compiles what is hot first.
      if (round > 0) times.get(topic)?.push(time)
    }
  }
  await producer.disconnect()
  const rate = (each: number) => (RECORDS / median(times.get(`rows-of-${each}`) ?? [])) * 1_000
  return SPARSE.map((each) =>
    figure(`read rows of ${each} x 200 B, against rows of 1,000`, 'records/s', rate(each), rate(1_000)),
  )
}
