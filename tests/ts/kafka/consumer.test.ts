import { describe, expect, test } from 'vitest'
import type { EachMessagePayload } from '../../../ts/index.ts'
import { memory, numbers, pause, send, textOf, until } from '../support/kafka.ts'
import { committed, reading } from '../support/reading.ts'

describe('reading', () => {
  test('begins at the end, or at the beginning, and goes on as records arrive', async () => {
    const kafka = memory()
    await send(kafka, 't', ['before'])
    const early = await reading(kafka, 't', { groupId: 'early' })
    const late = await reading(kafka, 't', { groupId: 'late', fromBeginning: false })
    await send(kafka, 't', ['after'])
    await Promise.all([early.seen(2), late.seen(1)])
    expect(early.values).toEqual(['before', 'after'])
    expect(late.values).toEqual(['after'])
    await Promise.all([early.consumer.disconnect(), late.consumer.disconnect()])
  })

  test('goes on after the last committed offset', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(10))
    const first = await reading(kafka, 't')
    await first.seen(10)
    await first.consumer.disconnect()
    expect(await committed(kafka, 't')).toEqual(['10'])
    await send(kafka, 't', numbers(5, 10))
    const second = await reading(kafka, 't')
    await second.seen(5)
    expect(second.values).toEqual(numbers(5, 10))
    await second.consumer.disconnect()
  })

  test('stops and runs again', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    const { consumer, seen } = await reading(kafka, 't')
    await seen(1)
    await consumer.stop()
    await send(kafka, 't', ['b'])
    const again: string[] = []
    await consumer.subscribe({ topics: ['other'] })
    await consumer.run({ eachMessage: async (payload) => void again.push(textOf(payload)) })
    await until(() => again.length === 1, 'the second run reads on')
    expect(again).toEqual(['b'])
    await consumer.disconnect()
  })

  test('topics by pattern', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: ['Order-a', 'order-b', 'else'].map((topic) => ({ topic })) })
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: [/^order-/gi], fromBeginning: true })
    const topics: string[] = []
    await consumer.run({ eachMessage: async ({ topic }) => void topics.push(topic) })
    for (const topic of ['Order-a', 'order-b', 'else']) await send(kafka, topic, ['x'])
    await until(() => topics.length === 2, 'both topics are read')
    expect(topics.toSorted()).toEqual(['Order-a', 'order-b'])
    await consumer.disconnect()
  })

  test('many partitions, each in order', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 4 }] })
    const seen: string[][] = [[], [], [], []]
    const eachMessage = async (payload: EachMessagePayload) =>
      void seen[payload.partition]?.push(textOf(payload))
    const { consumer } = await reading(kafka, 't', { eachMessage })
    for (let partition = 0; partition < 4; partition++) await send(kafka, 't', numbers(50), partition)
    await until(() => seen.flat().length === 200, 'all are read')
    expect(seen).toEqual(Array.from({ length: 4 }, () => numbers(50)))
    await consumer.disconnect()
  })

  test('without a handler reads nothing, and commits nothing', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run()
    await pause(50)
    await consumer.disconnect()
    expect(await committed(kafka, 't')).toEqual(['-1'])
  })
})

describe('commits', () => {
  test('by hand, with metadata', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const { consumer, seen } = await reading(kafka, 't', { autoCommit: false })
    await seen(3)
    expect(await committed(kafka, 't')).toEqual(['-1'])
    await consumer.commitOffsets([{ topic: 't', partition: 0, offset: '2', metadata: 'so far' }])
    const [found] = await kafka.admin().fetchOffsets({ groupId: 'g', topics: ['t'] })
    expect(found?.partitions).toEqual([{ partition: 0, offset: '2', metadata: 'so far' }])
    await consumer.disconnect()
    expect(await committed(kafka, 't')).toEqual(['2'])
  })

  test('inside of a handler', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    let handled = 0
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(message.offset) + 1n) }])
        handled += 1
      },
    })
    await until(() => handled === 3, 'all are handled')
    expect(await committed(kafka, 't')).toEqual(['3'])
    await consumer.disconnect()
  })

  test('after so many messages', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(10))
    const commits: string[] = []
    const consumer = kafka.consumer({ groupId: 'g' })
    consumer.on<{ topics: { partitions: { offset: string }[] }[] }>(
      consumer.events.COMMIT_OFFSETS,
      ({ payload }) => {
        commits.push(payload.topics[0]?.partitions[0]?.offset ?? '')
      },
    )
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({ autoCommitThreshold: 4, eachMessage: async () => undefined })
    await until(() => commits.at(-1) === '10', 'all is committed')
    expect(commits).toEqual(['4', '8', '10'])
    await consumer.disconnect()
  })
})

describe('seek', () => {
  test('reads again, and the last one wins', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(5))
    const { consumer, values, seen } = await reading(kafka, 't')
    await seen(5)
    consumer.seek({ topic: 't', partition: 0, offset: '1' })
    consumer.seek({ topic: 't', partition: 0, offset: '3' })
    await seen(7)
    await pause(20)
    expect(values.slice(5)).toEqual(['3', '4'])
    await consumer.disconnect()
  })

  test('while it waits for records loses none', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(2))
    const { consumer, values, seen } = await reading(kafka, 't')
    await seen(2)
    for (let round = 1; round <= 20; round++) {
      consumer.seek({ topic: 't', partition: 0, offset: '0' })
      await seen(2 + 2 * round)
    }
    expect(values).toEqual(Array.from({ length: 21 }, () => ['0', '1']).flat())
    await consumer.disconnect()
  })

  test('right after run, without waiting for it', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(5))
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const values: string[] = []
    const run = consumer.run({ eachMessage: async (payload) => void values.push(textOf(payload)) })
    consumer.seek({ topic: 't', partition: 0, offset: '4' })
    await run
    await until(() => values.length > 0, 'something is read')
    expect(values).toEqual(['4'])
    await consumer.disconnect()
  })

  test('inside of a handler makes the rest of the batch stale', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(10))
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const values: string[] = []
    await consumer.run({
      eachMessage: async (payload) => {
        values.push(textOf(payload))
        if (values.length === 2) consumer.seek({ topic: 't', partition: 0, offset: '8' })
      },
    })
    await until(() => values.length === 4, 'it reads on')
    expect(values).toEqual(['0', '1', '8', '9'])
    await consumer.stop()
    expect(await committed(kafka, 't')).toEqual(['10'])
    await consumer.disconnect()
  })

  test('to the ends, and beyond them', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const { consumer, values, seen } = await reading(kafka, 't')
    await seen(3)
    consumer.seek({ topic: 't', partition: 0, offset: '-2' })
    await seen(6)
    consumer.seek({ topic: 't', partition: 0, offset: '-1' })
    await pause(20)
    await send(kafka, 't', ['3'])
    await seen(7)
    consumer.seek({ topic: 't', partition: 0, offset: '1000' })
    await seen(11)
    expect(values).toEqual([...numbers(3), ...numbers(3), '3', ...numbers(4)])
    await consumer.disconnect()
  })

  test('is committed with autoCommit, and only then', async () => {
    for (const autoCommit of [true, false]) {
      const kafka = memory()
      await send(kafka, 't', numbers(3))
      const { consumer, seen } = await reading(kafka, 't', { autoCommit })
      await seen(3)
      consumer.pause([{ topic: 't' }])
      consumer.seek({ topic: 't', partition: 0, offset: '1' })
      await consumer.disconnect()
      expect(await committed(kafka, 't')).toEqual([autoCommit ? '1' : '-1'])
    }
  })
})

describe('pause and resume', () => {
  test('a paused partition is not read, and nothing of it is lost', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 2 }] })
    const { consumer, values, seen } = await reading(kafka, 't')
    expect(consumer.paused()).toEqual([])
    consumer.pause([{ topic: 't', partitions: [1] }])
    expect(consumer.paused()).toEqual([{ topic: 't', partitions: [1] }])
    await send(kafka, 't', ['a'], 0)
    await send(kafka, 't', ['b'], 1)
    await seen(1)
    await pause(30)
    expect(values).toEqual(['a'])
    consumer.resume([{ topic: 't', partitions: [1] }])
    await seen(2)
    expect(values).toEqual(['a', 'b'])
    consumer.pause([{ topic: 't' }])
    expect(consumer.paused()).toEqual([{ topic: 't', partitions: [0, 1] }])
    consumer.resume([{ topic: 't' }])
    expect(consumer.paused()).toEqual([])
    await consumer.disconnect()
  })

  test('right after run, without waiting for it', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const values: string[] = []
    const run = consumer.run({ eachMessage: async (payload) => void values.push(textOf(payload)) })
    consumer.pause([{ topic: 't' }])
    await run
    await pause(30)
    expect(values).toEqual([])
    consumer.resume([{ topic: 't' }])
    await until(() => values.length === 1, 'it is read')
    await consumer.disconnect()
  })

  test('inside of a handler stops after the message, which the handler may refuse', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(4))
    const values: string[] = []
    let resume: () => void = () => undefined
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      eachMessage: async (payload) => {
        values.push(textOf(payload))
        if (values.length === 2) resume = payload.pause()
        if (values.length === 4) {
          resume = payload.pause()
          throw new Error('too busy')
        }
      },
    })
    await until(() => values.length === 2, 'two are read')
    await pause(30)
    expect(values).toEqual(['0', '1'])
    resume()
    await until(() => values.length === 4, 'it goes on')
    await pause(50)
    expect(values).toEqual(['0', '1', '2', '3'])
    resume()
    await until(() => values.length === 5, 'what was refused is read again')
    expect(values.at(-1)).toBe('3')
    await consumer.disconnect()
  })
})
