import type { Consumer, ConsumerConfig, ConsumerRunConfig, Kafka } from '../../../ts/index.ts'
import { textOf, until } from './kafka.ts'

/** A consumer that collects what it reads. */
export async function reading(
  kafka: Kafka,
  topic: string,
  {
    groupId = 'g',
    fromBeginning = true,
    interceptors = [],
    ...config
  }: ConsumerRunConfig & { groupId?: string; fromBeginning?: boolean } & Pick<
      ConsumerConfig,
      'interceptors'
    > = {},
): Promise<{ consumer: Consumer; values: string[]; seen: (count: number) => Promise<void> }> {
  const consumer = kafka.consumer({ groupId, interceptors })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning })
  const values: string[] = []
  const eachMessage = config.eachMessage ?? (async (payload) => void values.push(textOf(payload)))
  await consumer.run({ ...config, eachMessage })
  const seen = (count: number) => until(() => values.length >= count, `${count} messages are seen`)
  return { consumer, values, seen }
}

export async function committed(kafka: Kafka, topic: string, groupId = 'g'): Promise<string[]> {
  const [found] = await kafka.admin().fetchOffsets({ groupId, topics: [topic] })
  return found?.partitions.map(({ offset }) => offset) ?? []
}
