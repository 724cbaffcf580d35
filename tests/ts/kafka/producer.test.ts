import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Node } from '../../../ts/generated/page-bindings.js'
import {
  DefaultPartitioner,
  type Kafka,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  KafkaJSProtocolError,
  type Message,
  murmur2,
  type Producer,
  type ProducerConfig,
} from '../../../ts/index.ts'
import { NodeHandle } from '../../../ts/kafka/node.ts'
import { Sender } from '../../../ts/kafka/sender.ts'
import { logged, memory, numbers, textOf, until } from '../support/kafka.ts'

async function connected(kafka: Kafka = memory(), config = {}): Promise<Producer> {
  const producer = kafka.producer(config)
  await producer.connect()
  return producer
}

async function readAll(kafka: Kafka, topic: string, count: number): Promise<string[]> {
  const consumer = kafka.consumer({ groupId: 'readers' })
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const values: string[] = []
  await consumer.run({ eachMessage: async (payload) => void values.push(textOf(payload)) })
  await until(() => values.length >= count, `${count} messages arrive`)
  await consumer.disconnect()
  return values
}

describe('send', () => {
  test('answers one entry a partition, in KafkaJS’s shape', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 3 }] })
    const producer = await connected(kafka)
    const messages = [1, 0, 1].map((partition, index) => ({ value: `v${index}`, partition }))
    const metadata = await producer.send({ topic: 't', messages })
    const entry = { topicName: 't', errorCode: 0, baseOffset: '0', logAppendTime: '-1', logStartOffset: '0' }
    expect(metadata.toSorted((a, b) => a.partition - b.partition)).toEqual([
      { ...entry, partition: 0 },
      { ...entry, partition: 1 },
    ])
    const [again] = await producer.send({ topic: 't', messages: [{ value: 'x', partition: 1 }] })
    expect(again).toEqual({ ...entry, partition: 1, baseOffset: '2' })
  })

  test('keeps order, and loses and repeats nothing', async () => {
    const kafka = memory()
    const producer = await connected(kafka)
    const sends = numbers(500).map((value) => producer.send({ topic: 't', messages: [{ value }], acks: 1 }))
    const offsets = (await Promise.all(sends)).map(([entry]) => entry?.baseOffset)
    expect(offsets).toEqual(numbers(500))
    expect(await readAll(kafka, 't', 500)).toEqual(numbers(500))
  })

  test('of one task cross into the wasm as one call a topic', async () => {
    const producer = await connected()
    await producer.send({ topic: 'a', messages: [{ value: 'first' }] })
    const calls: string[] = []
    const { callCore } = NodeHandle.prototype
    const spy = vi.spyOn(NodeHandle.prototype, 'callCore').mockImplementation(function (
      this: NodeHandle,
      work,
    ) {
      return callCore.call(this, (node: Node) => {
        const send = (topic: string, ...rest: [Uint8Array, Uint32Array, number, boolean, number]) => {
          calls.push(topic)
          return node.send(topic, ...rest)
        }
        return work(Object.assign(Object.create(node), { send }) as Node)
      }) as never
    })
    const topics = ['a', 'b', 'a', 'b', 'a']
    const sends = topics.map((topic) => producer.send({ topic, messages: [{ value: 'x' }, { value: 'y' }] }))
    const offsets = (await Promise.all(sends)).map(([entry]) => entry?.baseOffset)
    spy.mockRestore()
    expect(calls).toEqual(['a', 'b'])
    expect(offsets).toEqual(['1', '0', '3', '2', '5'])
  })

  test('takes text, bytes, null, headers and times', async () => {
    const kafka = memory()
    const producer = await connected(kafka)
    const messages: Message[] = [
      { key: 'k', value: 'text', headers: { one: '1', many: ['a', Uint8Array.of(98)], none: undefined } },
      { key: Uint8Array.of(1, 2), value: Uint8Array.of(3), timestamp: '1000' },
      { key: null, value: null, timestamp: 2_000 },
      { value: Buffer.from('buffer') },
    ]
    await producer.send({ topic: 't', messages })
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topic: 't', fromBeginning: true })
    const read: object[] = []
    await consumer.run({
      eachMessage: async ({ message: { key, value, headers, timestamp } }) => {
        read.push({ key, value, headers, timestamp })
      },
    })
    await until(() => read.length === 4, 'all arrive')
    await consumer.disconnect()
    expect(read).toEqual([
      {
        key: Buffer.from('k'),
        value: Buffer.from('text'),
        headers: { one: Buffer.from('1'), many: [Buffer.from('a'), Buffer.from('b')] },
        timestamp: expect.stringMatching(/^\d{13}$/),
      },
      { key: Buffer.from([1, 2]), value: Buffer.from([3]), headers: {}, timestamp: '1000' },
      { key: null, value: null, headers: {}, timestamp: '2000' },
      { key: null, value: Buffer.from('buffer'), headers: {}, timestamp: expect.any(String) },
    ])
  })

  test('with acks 0 promises nothing, and says what was lost', async () => {
    const { entries, logCreator } = logged()
    const kafka = memory({ logLevel: 1, logCreator })
    const producer = await connected(kafka)
    expect(await producer.send({ topic: 't', messages: [{ value: 'x' }], acks: 0 })).toEqual([])
    expect(await producer.send({ topic: 'bad name', messages: [{ value: 'x' }], acks: 0 })).toEqual([])
    await until(() => entries.length > 0, 'the loss is logged')
    expect(entries[0]?.log.message).toContain('not stored')
    expect(await readAll(kafka, 't', 1)).toEqual(['x'])
  })

  test('of nothing resolves', async () => {
    const producer = await connected()
    expect(await producer.send({ topic: 't', messages: [] })).toEqual([])
    expect(await producer.sendBatch({})).toEqual([])
    expect(await producer.sendBatch({ topicMessages: [] })).toEqual([])
  })

  test('to an illegal topic rejects, and the producer stays usable', async () => {
    const producer = await connected()
    const refused = producer.send({ topic: 'no/name', messages: [{ value: 'x' }] })
    await expect(refused).rejects.toThrow(KafkaJSProtocolError)
    await expect(refused).rejects.toMatchObject({
      message: expect.stringContaining('attempted to perform an operation on an invalid topic'),
      type: 'INVALID_TOPIC_EXCEPTION',
      code: 17,
      kind: 'Invalid',
      retriable: false,
    })
    expect(await producer.send({ topic: 'name', messages: [{ value: 'x' }] })).toHaveLength(1)
  })

  test('one that is refused does not take its neighbours with it', async () => {
    const producer = await connected()
    const large = 'x'.repeat(2 << 20)
    const [first, second, third] = await Promise.allSettled([
      producer.send({ topic: 't', messages: [{ value: 'a' }] }),
      producer.send({ topic: 't', messages: [{ value: large }] }),
      producer.send({ topic: 't', messages: [{ value: 'b' }] }),
    ])
    expect(first).toMatchObject({ value: [{ baseOffset: '0' }] })
    expect(second).toMatchObject({ reason: { type: 'MESSAGE_TOO_LARGE', code: 10 } })
    expect(third).toMatchObject({ value: [{ baseOffset: '1' }] })
  })

  test('to a topic that must not be created', async () => {
    const producer = await connected(memory(), { allowAutoTopicCreation: false })
    const refused = producer.send({ topic: 'unknown', messages: [{ value: 'x' }] })
    await expect(refused).rejects.toMatchObject({ type: 'UNKNOWN_TOPIC_OR_PARTITION', code: 3 })
  })

  test('to a partition that is not there', async () => {
    const producer = await connected()
    const refused = producer.send({ topic: 't', messages: [{ value: 'x', partition: 7 }] })
    await expect(refused).rejects.toMatchObject({ type: 'UNKNOWN_TOPIC_OR_PARTITION' })
  })

  test('several topics at once, entries of one topic in order', async () => {
    const kafka = memory()
    const producer = await connected(kafka)
    const entry = (topic: string, value: string) => ({ topic, messages: [{ value }] })
    const topicMessages = [entry('a', '1'), entry('b', '2'), entry('a', '3')]
    const metadata = await producer.sendBatch({ topicMessages })
    expect(metadata.map(({ topicName }) => topicName)).toEqual(['a', 'b'])
    expect(await readAll(kafka, 'a', 2)).toEqual(['1', '3'])
  })
})

describe('partitions', () => {
  test('a key goes where Kafka’s murmur2 puts it', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 5 }] })
    const producer = await connected(kafka)
    for (const key of ['user-1', 'user-2', 'väl€', '']) {
      const [entry] = await producer.send({ topic: 't', messages: [{ key, value: 'x' }] })
      expect(entry?.partition, key).toBe((murmur2(key) & 0x7fffffff) % 5)
    }
  })

  test('one’s own partitioner is asked with the message as it was given', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 4 }] })
    const partitioner = vi.fn(() => 2)
    const producer = await connected(kafka, { createPartitioner: () => partitioner })
    const message = { key: 'k', value: 'v', partition: 1 }
    const [entry] = await producer.send({ topic: 't', messages: [message] })
    expect(entry?.partition).toBe(2)
    const metadata = expect.objectContaining({ partitionId: 3, leader: 0, partitionErrorCode: 0 })
    expect(partitioner).toHaveBeenCalledWith({
      topic: 't',
      partitionMetadata: expect.arrayContaining([metadata]),
      message,
    })
  })

  test('a partitioner that throws spoils nothing', async () => {
    const kafka = memory()
    const createPartitioner = () => (args: { message: Message }) => {
      if (args.message.value === 'bad') throw new Error('no partition')
      return 0
    }
    const producer = await connected(kafka, { createPartitioner })
    const sends = ['a', 'bad', 'b'].map((value) => producer.send({ topic: 't', messages: [{ value }] }))
    const [first, second, third] = await Promise.allSettled(sends)
    expect(first).toMatchObject({ value: [{ baseOffset: '0' }] })
    expect(second).toMatchObject({ reason: { message: 'no partition' } })
    expect(third).toMatchObject({ value: [{ baseOffset: '1' }] })
    expect(await readAll(kafka, 't', 2)).toEqual(['a', 'b'])
  })

  test('the default one takes turns, skips nobody, and knows keys', () => {
    const partitioner = DefaultPartitioner()
    const metadata = [0, 1, 2].map((partitionId) => ({
      partitionErrorCode: 0,
      partitionId,
      leader: partitionId === 1 ? -1 : 0,
      replicas: [],
      isr: [],
    }))
    const place = (message: Message) => partitioner({ topic: 't', partitionMetadata: metadata, message })
    expect(place({ value: '', partition: 99 })).toBe(99)
    expect(place({ value: '', key: 'k' })).toBe((murmur2('k') & 0x7fffffff) % 3)
    expect(new Set([1, 2, 3, 4].map(() => place({ value: '' })))).toEqual(new Set([0, 2]))
  })
})

describe('the life of a producer', () => {
  test('it must be connected', async () => {
    const producer = memory().producer()
    const send = () => producer.send({ topic: 't', messages: [{ value: 'x' }] })
    await expect(send()).rejects.toThrow(KafkaJSError)
    await expect(send()).rejects.toThrow(/^The producer is disconnected$/)
    await producer.connect()
    await send()
    const disconnected = producer.disconnect()
    await expect(send()).rejects.toThrow('The producer is disconnecting; therefore')
    await disconnected
    await expect(send()).rejects.toMatchObject({ message: 'The producer is disconnected', kind: 'Closed' })
    await producer.connect()
    await send()
  })

  const partitioners = { 'the default': undefined, 'its own': () => () => 0 }
  test.each(Object.entries(partitioners))('what was sent is flushed, with %s partitioner', async (_, own) => {
    const kafka = memory()
    const producer = await connected(kafka, own === undefined ? {} : { createPartitioner: own })
    await kafka.admin().createTopics({ topics: [{ topic: 't' }] })
    void producer.send({ topic: 't', messages: [{ value: 'x' }], acks: 0 })
    await producer.flush()
    expect(await kafka.admin().fetchTopicOffsets('t')).toMatchObject([{ high: '1' }])
    void producer.send({ topic: 't', messages: [{ value: 'y' }], acks: 0 })
    await producer.disconnect()
    expect(await readAll(kafka, 't', 2)).toEqual(['x', 'y'])
  })

  test('it tells of its connection', async () => {
    const producer = memory().producer()
    const { CONNECT, DISCONNECT } = producer.events
    const types: string[] = []
    for (const name of [CONNECT, DISCONNECT]) producer.on(name, ({ type }) => types.push(type))
    await producer.connect()
    await producer.disconnect()
    expect(types).toEqual(['producer.connect', 'producer.disconnect'])
    expect(() => producer.on('consumer.crash', () => undefined)).toThrow(
      'Event name should be one of producer.events.CONNECT, producer.events.DISCONNECT',
    )
  })

  test('idempotence and codecs', async () => {
    const kafka = memory()
    expect(() => kafka.producer({ idempotent: true, retry: { retries: 0 } })).toThrow(
      'Idempotent producer must allow retries to protect against transient errors',
    )
    const producer = await connected(kafka, { idempotent: true })
    expect(producer.isIdempotent()).toBe(true)
    await expect(producer.send({ topic: 't', messages: [{ value: 'x' }], acks: 1 })).rejects.toThrow(
      "Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees",
    )
    expect(await producer.send({ topic: 't', messages: [{ value: 'x' }], compression: 1 })).toHaveLength(1)
    const snappy = producer.send({ topic: 't', messages: [{ value: 'x' }], compression: 2 })
    await expect(snappy).rejects.toThrow(KafkaJSNotImplemented)
  })
})

describe('validation', () => {
  const value = 'x'
  const cases: [string, unknown, unknown][] = [
    ['Invalid topic', '', [{ value }]],
    ['Invalid topic', undefined, [{ value }]],
    ['Invalid messages array [null] for topic "t"', 't', null],
    ['Invalid message without value for topic "t": {"foo":"bar"}', 't', [{ foo: 'bar' }]],
    [
      'Invalid message value for topic "t": expected a string or a Uint8Array or null, received 1',
      't',
      [{ value: 1 }],
    ],
    [
      'Invalid message key for topic "t": expected a string or a Uint8Array or null, received 2',
      't',
      [{ value, key: 2 }],
    ],
    ['Invalid message timestamp for topic "t"', 't', [{ value, timestamp: 'soon' }]],
    ['Invalid message partition for topic "t"', 't', [{ value, partition: 1.5 }]],
    ['Invalid message partition for topic "t"', 't', [{ value, partition: 2 ** 32 }]],
    ['Invalid message header "h" for topic "t"', 't', [{ value, headers: { h: [1] } }]],
  ]
  test.each(cases)('%s', async (message, topic, messages) => {
    const producer = memory().producer()
    const refused = producer.send({ topic, messages } as Parameters<Producer['send']>[0])
    await expect(refused).rejects.toThrow(KafkaJSNonRetriableError)
    await expect(refused).rejects.toThrow(message)
  })

  test.each(['all', 2, Number.NaN, null])('acks that promise nothing known: %s', async (acks) => {
    const refused = memory()
      .producer()
      .send({ topic: 't', messages: [{ value }], acks: acks as number })
    await expect(refused).rejects.toMatchObject({ type: 'INVALID_REQUIRED_ACKS', kind: 'Invalid' })
  })
})

test.each([undefined, Number.NaN, 2 ** 32, '1'])(
  'a partitioner that answers %s is refused',
  async (chosen) => {
    const producer = memory().producer({ createPartitioner: () => () => chosen as number })
    await producer.connect()
    const refused = producer.send({ topic: 't', messages: [{ value: 'x' }] })
    await expect(refused).rejects.toThrow(KafkaJSNonRetriableError)
    await expect(refused).rejects.toThrow(`Invalid partition from the partitioner of topic "t": ${chosen}`)
    await producer.disconnect()
  },
)

describe('a topic that is gone, with all of the storage, when it is sent to', () => {
  afterEach(() => vi.restoreAllMocks())

  const racing = async (config: ProducerConfig, message: Message) => {
    const producer = await connected(memory(), config)
    const gone = new KafkaJSProtocolError('gone', { type: 'UNKNOWN_TOPIC_OR_PARTITION', retriable: false })
    vi.spyOn(Sender.prototype, 'send').mockRejectedValueOnce(gone)
    return producer.send({ topic: 't', messages: [message] })
  }

  test('is made again, as any that is not there yet', async () => {
    expect(await racing({}, { value: 'x' })).toMatchObject([{ partition: 0, baseOffset: '0' }])
  })

  test.each<[string, ProducerConfig, Message]>([
    ['the producer may create none', { allowAutoTopicCreation: false }, { value: 'x' }],
    ['partitions were chosen, so that some may be stored', {}, { value: 'x', partition: 0 }],
  ])('is not where %s', async (_, config, message) => {
    await expect(racing(config, message)).rejects.toMatchObject({ type: 'UNKNOWN_TOPIC_OR_PARTITION' })
  })
})

test('a timestamp that is empty is none: retention would delete what seems to be of 1970', async () => {
  const kafka = memory()
  const producer = kafka.producer()
  await producer.connect()
  const messages = [null, ''].map((timestamp) => ({ value: 'x', timestamp: timestamp as string }))
  await producer.send({ topic: 't', messages })
  await producer.disconnect()
  expect(await kafka.admin().fetchTopicOffsetsByTimestamp('t', 1)).toEqual([{ partition: 0, offset: '0' }])
})

test('sends to memory one after another, which wait for nothing, let the page do something else', async () => {
  const producer = await connected()
  let others = 0
  const timer = setInterval(() => (others += 1))
  for (let sent = 0; sent < 50_000 && others < 3; sent++) {
    await producer.send({ topic: 't', messages: [{ value: 'a' }] })
  }
  clearInterval(timer)
  expect(others).toBe(3)
  await producer.disconnect()
})
