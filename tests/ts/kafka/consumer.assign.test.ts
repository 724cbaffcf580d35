import { describe, expect, test } from 'vitest'
import { KafkaJSNonRetriableError } from '../../../ts/index.ts'
import { memory, numbers, send, until } from '../support/kafka.ts'
import { committed } from '../support/reading.ts'

const place = (partition: number) => ({ topic: 't', partition })

async function filled(count: number) {
  const kafka = memory()
  await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: count }] })
  for (let partition = 0; partition < count; partition++) await send(kafka, 't', numbers(4), partition)
  return kafka
}

describe('assign', () => {
  test('reads exactly what it names, from where it says', async () => {
    const kafka = await filled(3)
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.assign([{ ...place(0), offset: '2' }, place(2)], { fromBeginning: true })
    const seen: string[] = []
    await consumer.run({
      eachMessage: async ({ partition, message }) => void seen.push(`${partition}/${message.offset}`),
    })
    expect(consumer.assignment()).toEqual([place(0), place(2)])
    await until(() => seen.length === 6, 'all are read')
    expect(seen.toSorted()).toEqual(['0/2', '0/3', '2/0', '2/1', '2/2', '2/3'])
    await consumer.stop()
    expect(await committed(kafka, 't')).toEqual(['4', '-1', '4'])
    await consumer.disconnect()
  })

  test('while it reads, replaces what is read; what stays goes on', async () => {
    const kafka = await filled(3)
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.assign([place(0), place(1)], { fromBeginning: true })
    const seen: string[] = []
    await consumer.run({
      eachMessage: async ({ partition, message }) => void seen.push(`${partition}/${message.offset}`),
    })
    await until(() => seen.length === 8, 'both are read')
    await consumer.assign([place(1), { ...place(2), offset: '3' }])
    expect(consumer.assignment()).toEqual([place(1), place(2)])
    await send(kafka, 't', ['x'], 0)
    await send(kafka, 't', ['x'], 1)
    await until(() => seen.length === 10, 'the new ones are read')
    expect(seen.slice(8).toSorted()).toEqual(['1/4', '2/3'])
    await consumer.disconnect()
  })

  test('needs no group: two read the same', async () => {
    const kafka = await filled(1)
    const read = async () => {
      const consumer = kafka.consumer({ groupId: 'g' })
      await consumer.assign([{ ...place(0), offset: '-2' }])
      const offsets: string[] = []
      for await (const { offset } of consumer.stream({ autoCommit: false })) {
        offsets.push(offset)
        if (offsets.length === 4) break
      }
      await consumer.disconnect()
      return offsets
    }
    expect(await Promise.all([read(), read()])).toEqual([numbers(4), numbers(4)])
    expect((await kafka.admin().listGroups()).groups).toEqual([])
  })

  test('and a subscription exclude each other, and an error says what to do', async () => {
    const kafka = memory()
    const subscribed = kafka.consumer({ groupId: 'g' })
    await subscribed.subscribe({ topics: ['t'] })
    await expect(subscribed.assign([place(0)])).rejects.toThrow(KafkaJSNonRetriableError)
    await expect(subscribed.assign([place(0)])).rejects.toThrow(
      'call stop() and unsubscribe() before assign()',
    )
    await subscribed.unsubscribe()
    await subscribed.assign([place(0)])
    await expect(subscribed.subscribe({ topics: ['t'] })).rejects.toThrow('call unsubscribe() first')
    await subscribed.unsubscribe()
    await subscribed.subscribe({ topics: ['t'] })
    await subscribed.disconnect()
  })

  test('refuses what is no place', async () => {
    const consumer = memory().consumer({ groupId: 'g' })
    await expect(consumer.assign([{ topic: '', partition: 0 }])).rejects.toThrow('Invalid topic')
    await expect(consumer.assign([{ ...place(0), offset: 'x' }])).rejects.toThrow('Invalid offset')
  })
})
