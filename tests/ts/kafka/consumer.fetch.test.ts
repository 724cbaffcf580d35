import { describe, expect, test } from 'vitest'
import type { ConsumerConfig } from '../../../ts/index.ts'
import { memory, send, until } from '../support/kafka.ts'

/** A consumer of 't' that has begun to wait for records, and how many messages each fetch brought it. */
async function fetching(config: Omit<ConsumerConfig, 'groupId'>) {
  const kafka = memory()
  await kafka.admin().createTopics({ topics: [{ topic: 't' }] })
  const consumer = kafka.consumer({ groupId: 'g', ...config })
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  const sizes: number[] = []
  let empty = 0
  consumer.on(consumer.events.FETCH, ({ payload }) => {
    if (payload.numberOfBatches === 0) empty += 1
  })
  const waits = new Promise<void>((resolve) => consumer.on(consumer.events.FETCH_START, () => resolve()))
  await consumer.run({ eachBatch: async ({ batch }) => void sizes.push(batch.messages.length) })
  await waits
  return { kafka, consumer, sizes, empty: () => empty }
}

const KILOBYTE = 'x'.repeat(1_000)

describe('a fetch', () => {
  test('waits for minBytes', async () => {
    const { kafka, consumer, sizes } = await fetching({ minBytes: 2_500, maxWaitTimeInMs: 60_000 })
    for (let sent = 0; sent < 3; sent += 1) await send(kafka, 't', [KILOBYTE])
    await until(() => sizes.length === 1, 'there is enough')
    expect(sizes).toEqual([3])
    await consumer.disconnect()
  })

  test('waits no longer than maxWaitTimeInMs for it', async () => {
    const { kafka, consumer, sizes, empty } = await fetching({ minBytes: 1_000_000, maxWaitTimeInMs: 60 })
    await until(() => empty() > 1, 'fetches end without records')
    await send(kafka, 't', [KILOBYTE])
    await until(() => sizes.length === 1, 'what there is comes')
    await consumer.disconnect()
  })

  test('brings no more than maxBytes, whichever of the two it is', async () => {
    for (const limit of [{ maxBytes: 2_500 }, { maxBytesPerPartition: 2_500 }, { maxBytes: 0 }]) {
      const { kafka, consumer, sizes } = await fetching({ ...limit, minBytes: 2 ** 40 })
      consumer.pause([{ topic: 't' }])
      for (let sent = 0; sent < 4; sent += 1) await send(kafka, 't', [KILOBYTE])
      consumer.resume([{ topic: 't' }])
      await until(() => sizes.reduce((sum, size) => sum + size, 0) === 4, 'all of it is read')
      expect(sizes).toEqual(limit.maxBytes === 0 ? [1, 1, 1, 1] : [2, 2])
      await consumer.disconnect()
    }
  })
})
