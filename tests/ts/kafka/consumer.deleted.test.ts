import { describe, expect, test } from 'vitest'
import type { Consumer, EachBatchPayload, EachMessagePayload, Kafka } from '../../../ts/index.ts'
import { memory, numbers, send, textOf, until } from '../support/kafka.ts'
import { committed } from '../support/reading.ts'

/** A consumer of these topics that says what crashes it. */
async function subscribed(
  kafka: Kafka,
  topics: string[],
): Promise<{ consumer: Consumer; crashes: string[] }> {
  const consumer = kafka.consumer({ groupId: 'g' })
  const crashes: string[] = []
  consumer.on(consumer.events.CRASH, ({ payload }) => crashes.push(payload.error.message))
  await consumer.subscribe({ topics, fromBeginning: true })
  return { consumer, crashes }
}

async function recreate(kafka: Kafka, topic: string, values: string[]): Promise<void> {
  const admin = kafka.admin()
  await admin.deleteTopics({ topics: [topic] })
  await admin.createTopics({ topics: [{ topic }] })
  await admin.disconnect()
  await send(kafka, topic, values)
}

describe('a topic that is deleted, and made anew, while a handler runs', () => {
  test('is read from its beginning', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const { consumer, crashes } = await subscribed(kafka, ['t'])
    const values: string[] = []
    const eachMessage = async (payload: EachMessagePayload) => {
      values.push(textOf(payload))
      if (values.length === 1) await recreate(kafka, 't', ['a', 'b'])
    }
    await consumer.run({ eachMessage })
    await until(() => values.includes('b') || crashes.length > 0, 'the new topic is read')
    await consumer.disconnect()
    expect(crashes).toEqual([])
    expect(values).toEqual(['0', 'a', 'b'])
    expect(await committed(kafka, 't')).toEqual(['2'])
  })

  test('the offsets that a handler commits by itself are refused, and the consumer goes on', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const { consumer, crashes } = await subscribed(kafka, ['t'])
    const values: string[] = []
    const eachBatch = async ({ batch, resolveOffset, commitOffsetsIfNecessary }: EachBatchPayload) => {
      for (const { offset, value } of batch.messages) {
        values.push(String(value))
        if (values.length === 1) await recreate(kafka, 't', ['a', 'b'])
        resolveOffset(offset)
        const topics = [{ topic: 't', partitions: [{ partition: 0, offset: String(BigInt(offset) + 1n) }] }]
        await commitOffsetsIfNecessary({ topics })
      }
    }
    await consumer.run({ eachBatch })
    await until(() => values.includes('b') || crashes.length > 0, 'the new topic is read')
    await consumer.disconnect()
    expect(crashes).toEqual([])
    expect(values).toEqual(['0', 'a', 'b'])
  })

  test('costs the other topics nothing', async () => {
    const kafka = memory()
    await send(kafka, 'gone', ['0', '1'])
    const { consumer, crashes } = await subscribed(kafka, ['gone', 'kept'])
    const admin = kafka.admin()
    const values: string[] = []
    let handling: (() => void) | undefined
    const eachMessage = async (payload: EachMessagePayload) => {
      values.push(`${payload.topic} ${textOf(payload)}`)
      if (values.length === 1) await new Promise<void>((resolve) => (handling = resolve))
    }
    await consumer.run({ eachMessage, partitionsConsumedConcurrently: 2, autoCommitThreshold: 100 })
    await until(() => handling !== undefined, 'it is handled')
    await admin.deleteTopics({ topics: ['gone'] })
    await send(kafka, 'kept', ['2'])
    await until(() => values.length === 2, 'the other is read')
    handling?.()
    await send(kafka, 'kept', ['3'])
    await until(() => values.length === 3, 'it goes on being read')
    await consumer.disconnect()
    expect(crashes).toEqual([])
    expect(values).toEqual(['gone 0', 'kept 2', 'kept 3'])
    expect(await committed(kafka, 'kept')).toEqual(['2'])
    await admin.disconnect()
  })
})

test('a group is described, and its lag told, where a topic that it reads is no more', async () => {
  const kafka = memory()
  await send(kafka, 'kept', numbers(3))
  await send(kafka, 'gone', numbers(3))
  const { consumer } = await subscribed(kafka, ['kept', 'gone'])
  const admin = kafka.admin()
  let asked: Promise<unknown> | undefined
  const listening = async () => {
    await admin.deleteTopics({ topics: ['gone'] })
    asked = Promise.all([admin.describeGroups(['g']), consumer.currentLag()])
    await asked
  }
  await consumer.run({ eachMessage: () => (asked === undefined ? listening() : Promise.resolve()) })
  await until(() => asked !== undefined, 'it was asked for')
  const [{ groups }, lags] = (await asked) as [{ groups: { members: object[] }[] }, { topic: string }[]]
  expect(groups[0]?.members).toHaveLength(1)
  expect(lags.map(({ topic }) => topic)).not.toContain('gone')
  await consumer.disconnect()
  await admin.disconnect()
})
