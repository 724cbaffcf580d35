import { describe, expect, test, vi } from 'vitest'
import {
  type Kafka,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
  type Producer,
  type Transaction,
} from '../../../ts/index.ts'
import { memory, numbers, textOf } from '../support/kafka.ts'
import { committed, reading } from '../support/reading.ts'

const ENDED = 'Cannot continue to use transaction once ended'

async function transactional(kafka: Kafka, config = {}): Promise<Producer> {
  const producer = kafka.producer({ transactionalId: 'tx', ...config })
  await producer.connect()
  return producer
}

async function high(kafka: Kafka, topic: string): Promise<string[]> {
  return (await kafka.admin().fetchTopicOffsets(topic)).map((each) => each.high)
}

/** Two topics of two partitions. */
async function twoTopics(): Promise<Kafka> {
  const kafka = memory()
  const topics = ['a', 'b'].map((topic) => ({ topic, numPartitions: 2 }))
  await kafka.admin().createTopics({ topics })
  return kafka
}

const fill = async (transaction: Transaction) => {
  await transaction.send({ topic: 'a', messages: [0, 1, 1].map((partition) => ({ partition, value: 'x' })) })
  await transaction.sendBatch({ topicMessages: [{ topic: 'b', messages: [{ partition: 1, value: 'y' }] }] })
}

describe('a transaction', () => {
  test('stores everything at its commit, and nothing before', async () => {
    const kafka = await twoTopics()
    const transaction = await (await transactional(kafka)).transaction()
    await fill(transaction)
    expect([await high(kafka, 'a'), await high(kafka, 'b')]).toEqual([
      ['0', '0'],
      ['0', '0'],
    ])
    await transaction.commit()
    expect([await high(kafka, 'a'), await high(kafka, 'b')]).toEqual([
      ['1', '2'],
      ['0', '1'],
    ])
    const { values, seen, consumer } = await reading(kafka, 'a')
    await seen(3)
    expect(values).toEqual(['x', 'x', 'x'])
    await consumer.disconnect()
  })

  test('stores nothing where it is aborted, and the next one begins', async () => {
    const kafka = await twoTopics()
    const producer = await transactional(kafka)
    const first = await producer.transaction()
    await fill(first)
    await first.abort()
    expect(first.isActive()).toBe(false)
    await (await producer.transaction()).commit()
    expect([await high(kafka, 'a'), await high(kafka, 'b')].flat()).toEqual(['0', '0', '0', '0'])
  })

  test('names the partitions of what was sent, while its offsets are open', async () => {
    const kafka = await twoTopics()
    const transaction = await (await transactional(kafka)).transaction()
    const messages = [1, 0, 1].map((partition) => ({ partition, value: 'x' }))
    const entry = {
      topicName: 'a',
      errorCode: 0,
      baseOffset: '-1',
      logAppendTime: '-1',
      logStartOffset: '-1',
    }
    expect(await transaction.send({ topic: 'a', messages })).toEqual([
      { ...entry, partition: 1 },
      { ...entry, partition: 0 },
    ])
    expect(await transaction.send({ topic: 'a', messages: [] })).toEqual([])
  })

  test('keeps the order of its messages, and their content', async () => {
    const kafka = memory()
    const transaction = await (await transactional(kafka)).transaction()
    for (const value of numbers(200)) await transaction.send({ topic: 't', messages: [{ value, key: 'k' }] })
    await transaction.commit()
    const { values, seen, consumer } = await reading(kafka, 't')
    await seen(200)
    expect(values).toEqual(numbers(200))
    await consumer.disconnect()
  })

  test('waits at its commit for what was sent without waiting', async () => {
    const kafka = memory()
    const transaction = await (await transactional(kafka)).transaction()
    void transaction.send({ topic: 't', messages: [{ value: 'x' }] })
    await transaction.commit()
    expect(await high(kafka, 't')).toEqual(['1'])
  })

  test('is one at a time, and over when it has ended', async () => {
    const producer = await transactional(memory())
    for (const end of ['commit', 'abort'] as const) {
      const transaction = await producer.transaction()
      expect(transaction.isActive()).toBe(true)
      await expect(producer.transaction()).rejects.toThrow(
        'There is already an ongoing transaction for this producer. Please end the transaction before beginning another.',
      )
      await transaction[end]()
      const calls = ['send', 'sendBatch', 'sendOffsets', 'commit', 'abort'] as const
      for (const call of calls) {
        const refused = (transaction[call] as () => Promise<unknown>)()
        await expect(refused, call).rejects.toThrow(KafkaJSNonRetriableError)
        await expect(refused, call).rejects.toThrow(ENDED)
      }
    }
  })

  test('leaves the plain send of its producer alone', async () => {
    const kafka = memory()
    const producer = await transactional(kafka)
    const transaction = await producer.transaction()
    await producer.send({ topic: 't', messages: [{ value: 'outside' }] })
    expect(await high(kafka, 't')).toEqual(['1'])
    await transaction.abort()
    expect(await high(kafka, 't')).toEqual(['1'])
  })

  test('is fenced by a younger producer of its id, which the log does not forget', async () => {
    const kafka = await twoTopics()
    const old = await (await transactional(kafka)).transaction()
    await fill(old)
    const younger = await transactional(kafka)
    const transaction = await younger.transaction()
    await fill(transaction)
    await transaction.commit()
    const refused = old.commit()
    await expect(refused).rejects.toThrow(KafkaJSProtocolError)
    await expect(refused).rejects.toMatchObject({
      type: 'PRODUCER_FENCED',
      code: 90,
      kind: 'Fenced',
      retriable: false,
    })
    expect(await high(kafka, 'a')).toEqual(['1', '2'])
    await expect(fill(old).then(() => old.commit())).rejects.toMatchObject({ type: 'PRODUCER_FENCED' })
  })

  test('is aborted by its time, and by the end of its producer', async () => {
    const kafka = memory()
    const producer = await transactional(kafka, { transactionTimeout: 100 })
    const late = await producer.transaction()
    await late.send({ topic: 't', messages: [{ value: 'x' }] })
    const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 101)
    await expect(late.commit()).rejects.toMatchObject({
      type: 'INVALID_PRODUCER_EPOCH',
      code: 47,
      retriable: false,
    })
    now.mockRestore()
    await expect(late.send({ topic: 't', messages: [] })).rejects.toThrow(ENDED)
    const open = await producer.transaction()
    await open.send({ topic: 't', messages: [{ value: 'x' }] })
    await producer.disconnect()
    await expect(open.commit()).rejects.toThrow(ENDED)
    expect(await high(kafka, 't')).toEqual(['0'])
  })

  test('that is disposed of is aborted, unless it was committed', async () => {
    const kafka = memory()
    const producer = await transactional(kafka)
    const dropped = await producer.transaction()
    await dropped.send({ topic: 't', messages: [{ value: 'x' }] })
    await dropped[Symbol.asyncDispose]()
    const kept = await producer.transaction()
    await kept.send({ topic: 't', messages: [{ value: 'x' }] })
    await kept.commit()
    await kept[Symbol.asyncDispose]()
    expect(await high(kafka, 't')).toEqual(['1'])
  })

  test('needs an id, a connection, acks of all, and sound messages', async () => {
    const kafka = memory()
    const plain = kafka.producer()
    await plain.connect()
    await expect(plain.transaction()).rejects.toThrow(
      'Must provide transactional id for transactional producer',
    )
    await expect(kafka.producer({ transactionalId: 'tx' }).transaction()).rejects.toThrow(KafkaJSError)
    const transaction = await (await transactional(kafka)).transaction()
    await expect(transaction.send({ topic: 't', messages: [{ value: 'x' }], acks: 1 })).rejects.toThrow(
      'Not requiring ack for all messages',
    )
    await expect(transaction.send({ topic: 't', messages: [{} as never] })).rejects.toThrow('without value')
    await expect(transaction.send({ topic: 'no/name', messages: [{ value: 'x' }] })).rejects.toMatchObject({
      type: 'INVALID_TOPIC_EXCEPTION',
    })
    await transaction.send({ topic: 't', messages: [{ value: 'x' }] })
    await transaction.commit()
    expect(await high(kafka, 't')).toEqual(['1'])
  })
})

describe('consumed offsets', () => {
  const topics = [
    {
      topic: 'a',
      partitions: [
        { partition: 1, offset: 2n, metadata: 'note' },
        { partition: 0, offset: '1' },
      ],
    },
  ]

  test('are committed with the transaction, or not at all', async () => {
    const kafka = await twoTopics()
    const producer = await transactional(kafka)
    const aborted = await producer.transaction()
    await aborted.sendOffsets({ consumerGroupId: 'g', topics })
    await aborted.abort()
    expect(await committed(kafka, 'a')).toEqual(['-1', '-1'])
    const transaction = await producer.transaction()
    await transaction.sendOffsets({ consumerGroupId: 'g', topics })
    expect(await committed(kafka, 'a')).toEqual(['-1', '-1'])
    await transaction.commit()
    expect(await committed(kafka, 'a')).toEqual(['1', '2'])
  })

  test('of a fenced producer are not committed', async () => {
    const kafka = await twoTopics()
    const old = await (await transactional(kafka)).transaction()
    await old.sendOffsets({ consumerGroupId: 'g', topics })
    await (await transactional(kafka)).transaction()
    await expect(old.commit()).rejects.toMatchObject({ type: 'PRODUCER_FENCED' })
    expect(await committed(kafka, 'a')).toEqual(['-1', '-1'])
  })

  test('are checked', async () => {
    const transaction = await (await transactional(memory())).transaction()
    const offset = (fields: object) => [
      { topic: 'a', partitions: [{ partition: 0, offset: '1', ...fields }] },
    ]
    await expect(transaction.sendOffsets({ consumerGroupId: '', topics })).rejects.toThrow(
      'Invalid consumerGroupId ',
    )
    await expect(
      transaction.sendOffsets({ consumerGroupId: 'g', topics: offset({ offset: 'ABC' }) as never }),
    ).rejects.toThrow('Invalid offset, expected a long received ABC')
    await expect(
      transaction.sendOffsets({ consumerGroupId: 'g', topics: [{ topic: '', partitions: [] }] }),
    ).rejects.toThrow('Invalid topic ')
  })

  test('and what was made of them: consume, transform, produce, once each', async () => {
    const kafka = memory()
    const source = kafka.producer()
    await source.connect()
    await source.send({ topic: 'in', messages: numbers(20).map((value) => ({ value })) })
    const producer = await transactional(kafka)
    let failures = 2
    const { consumer } = await reading(kafka, 'in', {
      autoCommit: false,
      eachMessage: async (payload) => {
        const { topic, partition, message } = payload
        const transaction = await producer.transaction()
        await transaction.send({ topic: 'out', messages: [{ value: `${textOf(payload)}!` }] })
        if (textOf(payload) === '7' && failures > 0) {
          failures -= 1
          await transaction.abort()
          throw new Error('not now')
        }
        const offset = String(BigInt(message.offset) + 1n)
        await transaction.sendOffsets({
          consumerGroupId: 'g',
          topics: [{ topic, partitions: [{ partition, offset }] }],
        })
        await transaction.commit()
      },
    })
    const out = await reading(kafka, 'out', { groupId: 'out' })
    await out.seen(20)
    expect(out.values).toEqual(numbers(20).map((value) => `${value}!`))
    expect(failures).toBe(0)
    await consumer.disconnect()
    await out.consumer.disconnect()
    expect(await committed(kafka, 'in')).toEqual(['20'])
  })
})

describe('what is being committed', () => {
  const begun = async () => {
    const kafka = memory()
    const producer = kafka.producer({ transactionalId: 'x' })
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic: 't', messages: [{ value: 'a' }] })
    const high = async () => (await kafka.admin().fetchTopicOffsets('t'))[0]?.high
    return { producer, transaction, high }
  }

  test('is stored though the producer is disconnected at once', async () => {
    const { producer, transaction, high } = await begun()
    await Promise.all([transaction.commit(), producer.disconnect()])
    expect(await high()).toBe('1')
    expect(transaction.isActive()).toBe(false)
  })

  test('is stored though nobody waited for it, and the transaction is disposed of', async () => {
    const { producer, transaction, high } = await begun()
    const committed = transaction.commit()
    await transaction[Symbol.asyncDispose]()
    expect(await high()).toBe('1')
    await committed
    await producer.disconnect()
  })

  test('takes nothing more, which would not be stored', async () => {
    const { producer, transaction, high } = await begun()
    const committed = transaction.commit()
    const refused = 'The transaction is being committed: wait for its commit() first'
    const late = { topic: 't', messages: [{ value: 'late' }] }
    const calls = [
      transaction.send(late),
      transaction.sendOffsets({ consumerGroupId: 'g', topics: [] }),
      transaction.commit(),
      transaction.abort(),
    ]
    for (const settled of await Promise.allSettled(calls)) {
      expect(settled).toMatchObject({ reason: { message: refused } })
    }
    await committed
    expect(await high()).toBe('1')
    await producer.disconnect()
  })
})
