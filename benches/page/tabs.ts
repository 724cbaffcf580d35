import { Kafka } from 'headwater'
import { type Figure, figure, median } from '../figure.ts'
import { timed } from './raw.ts'

/** The other end of `publish`: answers what it consumes on a channel. */
export async function echo(): Promise<void> {
  const channel = new BroadcastChannel('bench-echo')
  const consumer = new Kafka({ name: 'bench-tabs' }).consumer({ groupId: 'echo' })
  await consumer.connect()
  await consumer.subscribe({ topics: ['bench'], fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) =>
      channel.postMessage(new TextDecoder().decode(message.value ?? new Uint8Array())),
  })
  new BroadcastChannel('bench-raw').onmessage = ({ data }) => channel.postMessage(data)
}

/** From a durable send in one tab to the handler in another and back, against a bare BroadcastChannel. */
export async function publish(): Promise<Figure[]> {
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
  const goal = { ratio: { most: 8 } }
  return [
    figure('publish, receive in another tab, and an answer', 'ms p50', median(ours), median(bare), goal),
  ]
}
