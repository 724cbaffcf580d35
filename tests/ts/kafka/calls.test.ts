import { expect, test } from 'vitest'
import { logLevel } from '../../../ts/index.ts'
import { memory, textOf, until } from '../support/kafka.ts'

test('callbacks of every kind may call the log in the middle of whatever is under way', async () => {
  const calls: Promise<unknown>[] = []
  const poked = new Set<string>()
  const poke = (by: string) => {
    if (poked.has(by)) return
    poked.add(by)
    calls.push(
      producer.send({ topic: 'poked', messages: [{ value: by }] }),
      admin.fetchTopicMetadata(),
      admin.createTopics({ topics: [{ topic: `poked-by-${poked.size}` }] }),
      admin.describeGroups(['g']),
    )
  }
  const logCreator = () => () => poke('a logger')
  const kafka = memory({ logLevel: logLevel.DEBUG, logCreator })
  const admin = kafka.admin()
  const partitioner = () => () => {
    poke('a partitioner')
    return 0
  }
  const producer = kafka.producer({ createPartitioner: partitioner })
  let panics = 0
  kafka.on('panic', () => panics++)
  await producer.connect()
  const message = {
    get value() {
      poke('a value')
      return 'x'
    },
  }
  await producer.send({ topic: 't', messages: [message] })
  const consumer = kafka.consumer({ groupId: 'g' })
  for (const event of Object.values(consumer.events)) consumer.on(event, () => poke(event))
  await consumer.subscribe({ topics: ['t', 'poked'], fromBeginning: true })
  const seen = new Set<string>()
  await consumer.run({
    partitionsConsumedConcurrently: 2,
    eachMessage: async (payload) => {
      poke('a handler')
      seen.add(textOf(payload))
    },
  })
  await until(() => seen.size >= 2 && poked.has('a handler'), 'the handler was called')
  await until(() => [...poked].every((by) => by === 'a handler' || seen.has(by)), 'all of it arrives')
  await consumer.disconnect()
  const settled = await Promise.allSettled(calls)
  expect(settled.filter(({ status }) => status === 'rejected')).toEqual([])
  expect(panics).toBe(0)
  expect([...poked]).toEqual(expect.arrayContaining(['a logger', 'a partitioner', 'a value', 'a handler']))
  expect(poked.size).toBeGreaterThan(6)
})
