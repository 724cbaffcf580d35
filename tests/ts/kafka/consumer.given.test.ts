import { expect, test } from 'vitest'
import { memory, numbers, send, textOf, until } from '../support/kafka.ts'
import { committed } from '../support/reading.ts'

test('an offset may be given as a bigint', async () => {
  const kafka = memory()
  await send(kafka, 't', numbers(5))
  const consumer = kafka.consumer({ groupId: 'g' })
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  const values: string[] = []
  const running = consumer.run({
    autoCommit: false,
    eachMessage: async (payload) => void values.push(textOf(payload)),
  })
  consumer.seek({ topic: 't', partition: 0, offset: 3n })
  await running
  await until(() => values.length >= 2, 'the rest is read')
  await consumer.commitOffsets([{ topic: 't', partition: 0, offset: 4n }])
  expect(values).toEqual(['3', '4'])
  expect(await committed(kafka, 't')).toEqual(['4'])
  await consumer.disconnect()
})
