import { describe, expect, test } from 'vitest'
import {
  type Admin,
  KafkaJSAggregateError,
  KafkaJSCreateTopicError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
} from '../../../ts/index.ts'
import { memory, send, textOf, until } from '../support/kafka.ts'

const unknown = { name: 'KafkaJSProtocolError', type: 'UNKNOWN_TOPIC_OR_PARTITION', code: 3 }

describe('topics', () => {
  test('are created, described, listed and deleted without a connection', async () => {
    const admin = memory().admin()
    const entries = [{ name: 'retention.ms', value: '60000' }]
    const topics = [{ topic: 'a', numPartitions: 2, configEntries: entries }, { topic: 'b' }]
    expect(await admin.createTopics({ topics })).toBe(true)
    expect((await admin.listTopics()).toSorted()).toEqual(['a', 'b'])
    expect(await admin.fetchTopicMetadata({ topics: ['a'] })).toEqual({
      topics: [
        {
          name: 'a',
          partitions: [0, 1].map((partitionId) => ({
            partitionErrorCode: 0,
            partitionId,
            leader: 0,
            replicas: [0],
            isr: [0],
          })),
        },
      ],
    })
    expect((await admin.fetchTopicMetadata()).topics).toHaveLength(2)
    expect(await admin.deleteTopics({ topics: ['a'] })).toBeUndefined()
    expect(await admin.listTopics()).toEqual(['b'])
    await expect(admin.fetchTopicMetadata({ topics: ['a'] })).rejects.toMatchObject(unknown)
    expect(await admin.listTopics()).toEqual(['b'])
  })

  test('that exist are no error, and the others are created', async () => {
    const admin = memory().admin()
    await admin.createTopics({ topics: [{ topic: 'a' }] })
    expect(await admin.createTopics({ topics: [{ topic: 'a' }, { topic: 'b' }] })).toBe(false)
    expect((await admin.listTopics()).toSorted()).toEqual(['a', 'b'])
  })

  test('can be tried without being created', async () => {
    const admin = memory().admin()
    expect(await admin.createTopics({ topics: [{ topic: 'a' }], validateOnly: true })).toBe(true)
    expect(await admin.listTopics()).toEqual([])
  })

  test('that cannot be created are told one by one', async () => {
    const admin = memory().admin()
    const topics = [
      { topic: 'no/name' },
      { topic: 'fine' },
      { topic: 'none', numPartitions: 0 },
      { topic: 'odd', configEntries: [{ name: 'retention.ms', value: 'soon' }] },
    ]
    const error = await admin.createTopics({ topics }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(KafkaJSAggregateError)
    const { errors, message } = error as KafkaJSAggregateError
    expect(message).toBe('Topic creation errors')
    expect(errors.every((each) => each instanceof KafkaJSCreateTopicError)).toBe(true)
    expect(errors).toMatchObject([
      { topic: 'no/name', type: 'INVALID_TOPIC_EXCEPTION', code: 17, retriable: false },
      { topic: 'none', type: 'INVALID_PARTITIONS', code: 37 },
      { topic: 'odd', type: 'INVALID_CONFIG', code: 40 },
    ])
    expect(await admin.listTopics()).toEqual(['fine'])
  })

  test('that are not there cannot be deleted', async () => {
    await expect(
      memory()
        .admin()
        .deleteTopics({ topics: ['a'] }),
    ).rejects.toMatchObject(unknown)
  })
})

describe('offsets', () => {
  test('of a topic', async () => {
    const kafka = memory()
    const admin = kafka.admin()
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 2 }] })
    await send(kafka, 't', ['a', 'b', 'c'], 1)
    expect(await admin.fetchTopicOffsets('t')).toEqual([
      { partition: 0, offset: '0', high: '0', low: '0' },
      { partition: 1, offset: '3', high: '3', low: '0' },
    ])
    await expect(admin.fetchTopicOffsets('other')).rejects.toThrow(KafkaJSProtocolError)
    await expect(admin.fetchTopicOffsets('other')).rejects.toMatchObject(unknown)
  })

  test('by time', async () => {
    const kafka = memory()
    const admin = kafka.admin()
    const producer = kafka.producer()
    await producer.connect()
    for (const timestamp of [1_000, 2_000, 3_000]) {
      await producer.send({ topic: 't', messages: [{ value: 'x', timestamp }] })
    }
    const at = async (timestamp?: number) =>
      (await admin.fetchTopicOffsetsByTimestamp('t', timestamp))[0]?.offset
    expect([await at(0), await at(1_500), await at(3_000), await at(3_001)]).toEqual(['0', '1', '2', '3'])
    expect(await at()).toBe('3')
  })

  test('of a group', async () => {
    const kafka = memory()
    const admin = kafka.admin()
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 2 }, { topic: 'other' }] })
    await send(kafka, 't', ['a', 'b'], 1)
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const seen: string[] = []
    await consumer.run({ eachMessage: async (payload) => void seen.push(textOf(payload)) })
    await until(() => seen.length === 2, 'both are read')
    await consumer.stop()
    const offsets = {
      topic: 't',
      partitions: [
        { partition: 0, offset: '-1', metadata: null },
        { partition: 1, offset: '2', metadata: null },
      ],
    }
    expect(await admin.fetchOffsets({ groupId: 'g' })).toEqual([offsets])
    expect(await admin.fetchOffsets({ groupId: 'g', topics: ['other', 't'] })).toEqual([
      { topic: 'other', partitions: [{ partition: 0, offset: '-1', metadata: null }] },
      offsets,
    ])
  })
})

describe('validation', () => {
  const cases: [string, (admin: Admin) => Promise<unknown>][] = [
    ['Invalid topics array x', (admin) => admin.createTopics({ topics: 'x' as never })],
    [
      'Invalid topics array, the topic names have to be a valid string',
      (admin) => admin.createTopics({ topics: [{ topic: 1 as never }] }),
    ],
    [
      'Invalid topics array, the topic names have to be a valid string',
      (admin) => admin.createTopics({ topics: [null as never] }),
    ],
    [
      'Invalid topics array, it cannot have multiple entries for the same topic',
      (admin) => admin.createTopics({ topics: [{ topic: 'a' }, { topic: 'a' }] }),
    ],
    [
      'Invalid configEntries for topic "a", must be an array',
      (admin) => admin.createTopics({ topics: [{ topic: 'a', configEntries: 'x' as never }] }),
    ],
    [
      'Invalid configEntries for topic "a". Entry 0 must be an object',
      (admin) => admin.createTopics({ topics: [{ topic: 'a', configEntries: ['x' as never] }] }),
    ],
    [
      'Invalid configEntries for topic "a". Entry 0 must have a valid "value" property',
      (admin) => admin.createTopics({ topics: [{ topic: 'a', configEntries: [{ name: 'n' } as never] }] }),
    ],
    [
      'Invalid configEntries for topic "a". Entry 0 must have a valid "name" property',
      (admin) => admin.createTopics({ topics: [{ topic: 'a', configEntries: [{ value: 'v' } as never] }] }),
    ],
    ['Invalid topics array x', (admin) => admin.deleteTopics({ topics: 'x' as never })],
    [
      'Invalid topics array, the names must be a valid string',
      (admin) => admin.deleteTopics({ topics: [1 as never] }),
    ],
    ['Invalid topic null', (admin) => admin.fetchTopicMetadata({ topics: [null as never] })],
    ['Invalid topic undefined', (admin) => admin.fetchTopicOffsets(undefined as never)],
    ['Invalid groupId undefined', (admin) => admin.fetchOffsets({} as never)],
  ]
  test.each(cases)('%s', async (message, call) => {
    const refused = call(memory().admin())
    await expect(refused).rejects.toThrow(KafkaJSNonRetriableError)
    await expect(refused).rejects.toThrow(message)
  })
})
