import type { Kafka } from 'headwater'

/** Sends the numbers from `from` to `to`, each to the partition that it is congruent to. */
export async function sendNumbers(
  kafka: Kafka,
  topic: string,
  partitions: number,
  from: number,
  to: number,
): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  const numbers = Array.from({ length: to - from }, (_, index) => from + index)
  const messages = numbers.map((id) => ({ value: String(id), partition: id % partitions }))
  await producer.send({ topic, messages })
  await producer.disconnect()
}
