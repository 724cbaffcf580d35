import { describe, expect, test } from 'vitest'
import {
  type Admin,
  ConfigResourceTypes,
  ConfigSource,
  KafkaJSBrokerNotFound,
  KafkaJSDeleteTopicRecordsError,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  KafkaJSOffsetOutOfRange,
} from '../../../ts/index.ts'
import { logged, memory, numbers, send } from '../support/kafka.ts'

const { TOPIC, BROKER } = ConfigResourceTypes

describe('partitions', () => {
  test('are added, and used from then on', async () => {
    const kafka = memory()
    const admin = kafka.admin()
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 2 }] })
    await send(kafka, 't', ['a'], 1)
    const topicPartitions = [{ topic: 't', count: 4, assignments: [[0], [0]] }]
    expect(await admin.createPartitions({ topicPartitions, validateOnly: true })).toBe(true)
    expect(await admin.fetchTopicOffsets('t')).toHaveLength(2)
    expect(await admin.createPartitions({ topicPartitions })).toBe(true)
    await send(kafka, 't', ['b'], 3)
    expect((await admin.fetchTopicOffsets('t')).map(({ high }) => high)).toEqual(['0', '1', '0', '1'])
  })

  test('cannot be fewer, nor of an unknown topic, nor of another node', async () => {
    const admin = memory().admin()
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 3 }] })
    const create = (fields: object) =>
      admin.createPartitions({ topicPartitions: [{ topic: 't', count: 4, ...fields }] })
    await expect(create({ count: 2 })).rejects.toMatchObject({
      name: 'KafkaJSProtocolError',
      message: 'Number of partitions is invalid',
      type: 'INVALID_PARTITIONS',
      code: 37,
      retriable: false,
      cause: expect.objectContaining({ message: expect.stringContaining('t') }),
    })
    await expect(create({ topic: 'x' })).rejects.toMatchObject({
      message: 'This server does not host this topic-partition',
      type: 'UNKNOWN_TOPIC_OR_PARTITION',
      code: 3,
    })
    await expect(create({ assignments: [[10]] })).rejects.toMatchObject({
      message: 'Replica assignment is invalid',
      type: 'INVALID_REPLICA_ASSIGNMENT',
      code: 39,
    })
    expect(await admin.fetchTopicOffsets('t')).toHaveLength(3)
  })

  test('of a new topic may be told by their assignment', async () => {
    const admin = memory().admin()
    const replicaAssignment = [0, 1, 2].map((partition) => ({ partition, replicas: [1, 2, 3] }))
    await admin.createTopics({ topics: [{ topic: 't', replicaAssignment }] })
    expect(await admin.fetchTopicOffsets('t')).toHaveLength(3)
  })
})

describe('configurations', () => {
  const topic = <Fields extends object>(fields: Fields) => ({ type: TOPIC, name: 't', ...fields })
  const policy = async (admin: Admin) => {
    const resources = [topic({ configNames: ['cleanup.policy'] })]
    const described = await admin.describeConfigs({ resources })
    return described.resources[0]?.configEntries[0]?.configValue
  }

  test('are described in KafkaJS’s shape', async () => {
    const admin = memory().admin()
    await admin.createTopics({
      topics: [{ topic: 't', configEntries: [{ name: 'retention.ms', value: '5' }] }],
    })
    const resources = [topic({ configNames: ['cleanup.policy', 'retention.ms'] })]
    const { throttleTime, resources: described } = await admin.describeConfigs({
      resources,
      includeSynonyms: true,
    })
    expect(throttleTime).toBe(0)
    const { configEntries = [], ...rest } = described[0] ?? {}
    expect(rest).toEqual({ resourceType: TOPIC, resourceName: 't', errorCode: 0, errorMessage: null })
    const entry = (configName: string, configValue: string, isDefault: boolean) => {
      const configSource = isDefault ? ConfigSource.DEFAULT_CONFIG : ConfigSource.TOPIC_CONFIG
      const own = { configName, configValue, configSource }
      return { ...own, isDefault, isSensitive: false, readOnly: false, configSynonyms: [own] }
    }
    expect(configEntries).toHaveLength(2)
    expect(configEntries).toEqual(
      expect.arrayContaining([entry('cleanup.policy', 'delete', true), entry('retention.ms', '5', false)]),
    )
    const all = await admin.describeConfigs({ resources: [topic({}), { type: BROKER, name: '0' }] })
    expect(all.resources[0]?.configEntries.length).toBeGreaterThan(5)
    expect(all.resources[0]?.configEntries[0]?.configSynonyms).toEqual([])
    expect(all.resources[1]).toMatchObject({ resourceType: BROKER, configEntries: [] })
  })

  test('are replaced, or only tried', async () => {
    const admin = memory().admin()
    await admin.createTopics({ topics: [{ topic: 't' }] })
    const resources = [topic({ configEntries: [{ name: 'cleanup.policy', value: 'compact' }] })]
    const resource = { resourceType: TOPIC, resourceName: 't', errorCode: 0, errorMessage: null }
    const altered = { throttleTime: 0, resources: [resource] }
    expect(await admin.alterConfigs({ resources, validateOnly: true })).toEqual(altered)
    expect(await policy(admin)).toBe('delete')
    expect(await admin.alterConfigs({ resources })).toEqual(altered)
    expect(await policy(admin)).toBe('compact')
    await admin.alterConfigs({
      resources: [topic({ configEntries: [{ name: 'retention.ms', value: '5' }] })],
    })
    expect(await policy(admin)).toBe('delete')
  })

  test('that cannot be are refused', async () => {
    const admin = memory().admin()
    await admin.createTopics({ topics: [{ topic: 't' }] })
    const alter = (fields: object, configEntries = [{ name: 'retention.ms', value: 'soon' }]) =>
      admin.alterConfigs({ resources: [topic({ configEntries, ...fields })] })
    await expect(alter({})).rejects.toMatchObject({ type: 'INVALID_CONFIG', code: 40 })
    const entries = [{ name: 'retention.ms', value: '5' }]
    await expect(alter({ name: 'x' }, entries)).rejects.toMatchObject({
      type: 'UNKNOWN_TOPIC_OR_PARTITION',
      code: 3,
    })
    await expect(alter({ type: BROKER }, entries)).rejects.toThrow(KafkaJSNotImplemented)
    await expect(admin.describeConfigs({ resources: [topic({ name: 'x' })] })).rejects.toMatchObject({
      code: 3,
    })
  })

  const cases: [string, unknown][] = [
    ['Invalid resources array null', null],
    ['Invalid resources array text', 'text'],
    ['Resources array cannot be empty', []],
    ['Invalid resource type 1999: {"type":1999}', [{ type: TOPIC }, { type: 1999 }]],
    ['Invalid resource name null: {"type":2,"name":null}', [topic({}), { type: TOPIC, name: null }]],
    ['Invalid resource name 123: {"type":2,"name":123}', [{ type: TOPIC, name: 123 }]],
  ]
  test.each(cases)('%s', async (message, resources) => {
    const admin = memory().admin()
    const given = { resources } as never
    for (const refused of [admin.describeConfigs(given), admin.alterConfigs(given)]) {
      await expect(refused).rejects.toThrow(KafkaJSNonRetriableError)
      await expect(refused).rejects.toThrow(message)
    }
  })

  test('lists in them are checked', async () => {
    const admin = memory().admin()
    const named = { resources: [topic({ configNames: 123 })] } as never
    const message = 'Invalid resource configNames 123: {"type":2,"name":"t","configNames":123}'
    await expect(admin.describeConfigs(named)).rejects.toThrow(message)
    const entries = (configEntries: unknown) =>
      admin.alterConfigs({ resources: [topic({ configEntries })] } as never)
    await expect(entries(5)).rejects.toThrow(
      'Invalid resource configEntries 5: {"type":2,"name":"t","configEntries":5}',
    )
    await expect(entries([{}])).rejects.toThrow(
      'Invalid resource config value: {"type":2,"name":"t","configEntries":[{}]}',
    )
  })
})

describe('records', () => {
  const lows = async (admin: Admin) => (await admin.fetchTopicOffsets('t')).map(({ low }) => low)
  const filled = async (config = {}) => {
    const kafka = memory(config)
    const admin = kafka.admin()
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 2 }] })
    await send(kafka, 't', numbers(13), 0)
    await send(kafka, 't', numbers(7), 1)
    return admin
  }

  test('are deleted before an offset, or all of them', async () => {
    const admin = await filled()
    await admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 0, offset: '7' }] })
    expect(await lows(admin)).toEqual(['7', '0'])
    await admin.deleteTopicRecords({
      topic: 't',
      partitions: [
        { partition: 1, offset: '-1' },
        { partition: 0, offset: 8n },
      ],
    })
    expect(await lows(admin)).toEqual(['8', '7'])
  })

  test('that are gone already are no error', async () => {
    const { entries, logCreator } = logged()
    const admin = await filled({ logLevel: 2, logCreator })
    await admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 1, offset: '5' }] })
    await admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 1, offset: '3' }] })
    expect(await lows(admin)).toEqual(['0', '5'])
    expect(entries).toMatchObject([
      {
        namespace: 'Admin',
        label: 'WARN',
        log: {
          message:
            'The requested offset is before the earliest offset maintained on the partition - no records will be deleted from this partition',
          topic: 't',
          partition: 1,
          offset: '3',
        },
      },
    ])
  })

  test('of a partition that is not there: nothing is deleted', async () => {
    const admin = await filled()
    const partitions = [
      { partition: 0, offset: '7' },
      { partition: 2, offset: '5' },
    ]
    const error = await admin
      .deleteTopicRecords({ topic: 't', partitions })
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(KafkaJSDeleteTopicRecordsError)
    expect(error).toMatchObject({ message: 'Error while deleting records', retriable: false })
    const failed = (error as KafkaJSDeleteTopicRecordsError).partitions
    expect(failed).toMatchObject([
      { partition: 2, offset: '5', error: { message: 'Could not find the leader for the partition' } },
    ])
    expect(failed[0]?.error).toBeInstanceOf(KafkaJSBrokerNotFound)
    expect(await lows(admin)).toEqual(['0', '0'])
  })

  test('beyond the end: the other partitions are done', async () => {
    const admin = await filled()
    const partitions = [
      { partition: 1, offset: '99' },
      { partition: 0, offset: '7' },
    ]
    const error = await admin
      .deleteTopicRecords({ topic: 't', partitions })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      name: 'KafkaJSNonRetriableError',
      cause: { name: 'KafkaJSDeleteTopicRecordsError' },
    })
    const { partitions: failed } = (error as { cause: KafkaJSDeleteTopicRecordsError }).cause
    expect(failed).toMatchObject([
      {
        partition: 1,
        offset: '99',
        error: {
          message: 'The requested offset is not within the range of offsets maintained by the server',
          type: 'OFFSET_OUT_OF_RANGE',
          code: 1,
          topic: 't',
          partition: 1,
          retriable: false,
        },
      },
    ])
    expect(failed[0]?.error).toBeInstanceOf(KafkaJSOffsetOutOfRange)
    expect(await lows(admin)).toEqual(['7', '0'])
  })

  const cases: [string, object][] = [
    ['Invalid topic "null"', { topic: null }],
    ['Invalid topic "a,b"', { topic: ['a', 'b'] }],
    ['Invalid partitions', { topic: 't', partitions: [] }],
    ['Invalid partitions', { topic: 't' }],
    [
      'Invalid offset, expected a long received ABC',
      { topic: 't', partitions: [{ partition: 0, offset: 'ABC' }] },
    ],
  ]
  test.each(cases)('%s', async (message, given) => {
    const admin = await filled()
    const refused = admin.deleteTopicRecords(given as never)
    await expect(refused).rejects.toThrow(KafkaJSNonRetriableError)
    await expect(refused).rejects.toThrow(message)
  })
})

test('the cluster is one node', async () => {
  const kafka = memory({ name: 'the-log' })
  expect(await kafka.admin().describeCluster()).toEqual({
    brokers: [{ nodeId: 0, host: 'localhost', port: 0 }],
    controller: 0,
    clusterId: 'the-log',
  })
})

test.each([
  'alterPartitionReassignments',
  'listPartitionReassignments',
  'createAcls',
  'describeAcls',
  'deleteAcls',
])('%s means nothing here', async (name) => {
  const admin = memory().admin() as unknown as Record<string, () => Promise<unknown>>
  const refused = admin[name]?.()
  await expect(refused).rejects.toThrow(KafkaJSNotImplemented)
  await expect(refused).rejects.toThrow(`${name} means nothing here: `)
})
