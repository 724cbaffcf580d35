import { describe, expect, test } from 'vitest'
import { type Kafka, KafkaJSNonRetriableError, type TopicPartition } from '../../../ts/index.ts'
import { release, use } from '../../../ts/kafka/node.ts'
import { memory, send } from '../support/kafka.ts'

/** What the types forbid, and JavaScript passes all the same. */
const wrong = <T>(value: unknown) => value as T

describe('an argument that is no text', () => {
  const place = { topic: wrong<string>(5), partition: 0 }
  const call: Record<string, (kafka: Kafka) => unknown> = {
    'consumer.committed': (kafka) => kafka.consumer({ groupId: 'g' }).committed([place]),
    'consumer.beginningOffsets': (kafka) => kafka.consumer({ groupId: 'g' }).beginningOffsets([place]),
    'consumer.endOffsets': (kafka) => kafka.consumer({ groupId: 'g' }).endOffsets([place]),
    'consumer.offsetsForTimes': (kafka) =>
      kafka.consumer({ groupId: 'g' }).offsetsForTimes([{ ...place, timestamp: 0 }]),
    'admin.describeGroups': (kafka) => kafka.admin().describeGroups(wrong([5])),
    'admin.deleteGroups': (kafka) => kafka.admin().deleteGroups(wrong([{}])),
    'producer.transaction': async (kafka) => {
      const producer = kafka.producer({ transactionalId: wrong(5) })
      await producer.connect()
      return producer.transaction()
    },
  }

  test.each(Object.keys(call))('is refused by %s, and the log lives on', async (name) => {
    const kafka = memory()
    const panics: string[] = []
    kafka.on('panic', ({ message }) => panics.push(message))
    await send(kafka, 't', ['kept'])
    await expect(call[name]?.(kafka)).rejects.toThrow(KafkaJSNonRetriableError)
    expect(await kafka.admin().fetchTopicOffsets('t')).toMatchObject([{ high: '1' }])
    expect(panics).toEqual([])
  })

  test('is refused at the border to the wasm as well', async () => {
    const kafka = memory({ name: 'border' })
    await send(kafka, 't', ['kept'])
    const node = use({ name: 'border', storage: 'memory' })
    await expect(node.call((open) => open.partitions(wrong(5), false))).rejects.toThrow('text was expected')
    expect(await kafka.admin().fetchTopicOffsets('t')).toMatchObject([{ high: '1' }])
    release({ name: 'border', storage: 'memory' })
  })
})

describe('a partition that cannot be', () => {
  const cannot = [
    -1,
    1.5,
    2 ** 31,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
    '',
    'a',
    [],
    true,
    {},
  ]

  test.each(cannot)('is refused: %s', async (partition) => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    const consumer = kafka.consumer({ groupId: 'g' })
    const place = wrong<TopicPartition>({ topic: 't', partition })
    const refused = `Invalid partition, expected a number received ${partition}`
    await expect(consumer.committed([place])).rejects.toThrow(refused)
    await expect(consumer.endOffsets([place])).rejects.toThrow(refused)
    await expect(consumer.offsetsForTimes([{ ...place, timestamp: 1 }])).rejects.toThrow(refused)
    await expect(consumer.assign([place])).rejects.toThrow(refused)
    const offsets = { groupId: 'g', topic: 't', partitions: [{ ...place, offset: '1' }] }
    await expect(kafka.admin().setOffsets(offsets)).rejects.toThrow(refused)
    await consumer.disconnect()
  })
})

test('an offset or a time that is no whole number of 64 bits is refused', async () => {
  const kafka = memory()
  await send(kafka, 't', ['a'])
  const consumer = kafka.consumer({ groupId: 'g' })
  const far = 2n ** 63n
  await expect(consumer.assign([{ topic: 't', partition: 0, offset: String(far) }])).rejects.toThrow(
    `Invalid offset, expected a long received ${far}`,
  )
  for (const timestamp of ['soon', Number.NaN, 1.5, 2 ** 70]) {
    const refused = `Invalid timestamp, expected a long received ${timestamp}`
    await expect(consumer.offsetsForTimes([{ topic: 't', partition: 0, timestamp }])).rejects.toThrow(refused)
    await expect(kafka.admin().fetchTopicOffsetsByTimestamp('t', wrong(timestamp))).rejects.toThrow(refused)
  }
})

test('what a transaction commits of a group is checked as commitOffsets checks it', async () => {
  const kafka = memory()
  await send(kafka, 't', ['a'])
  const producer = kafka.producer({ transactionalId: 'x' })
  await producer.connect()
  const transaction = await producer.transaction()
  const sendOffsets = (given: object) =>
    transaction.sendOffsets({
      consumerGroupId: 'g',
      topics: [{ topic: 't', partitions: [wrong({ partition: 0, offset: '1', ...given })] }],
    })
  await expect(sendOffsets({ partition: null })).rejects.toThrow('Invalid partition, expected a number')
  await expect(sendOffsets({ offset: '-5' })).rejects.toThrow('Offset must not be a negative number')
  await expect(sendOffsets({ metadata: {} })).rejects.toThrow(
    'Invalid offset metadata, expected string or null',
  )
  const consumerGroupId = '__forwarder'
  await expect(transaction.sendOffsets({ consumerGroupId, topics: [] })).rejects.toThrow('Invalid groupId')
  await transaction.commit()
  expect(await kafka.admin().fetchOffsets({ groupId: 'g', topics: ['t'] })).toMatchObject([
    { partitions: [{ offset: '-1' }] },
  ])
  await producer.disconnect()
})

test('a switch that is neither true nor false is one of them', async () => {
  const kafka = memory()
  const panics: string[] = []
  kafka.on('panic', ({ message }) => panics.push(message))
  const topics = [{ topic: 't' }]
  expect(await kafka.admin().createTopics({ topics, validateOnly: wrong(1n) })).toBe(true)
  expect(await kafka.admin().listTopics()).toEqual([])
  expect(panics).toEqual([])
})
