import { describe, expect, test } from 'vitest'
import { type ConsumerConfig, type ConsumerRunConfig, Kafka, type KafkaConfig } from '../../../ts/index.ts'
import { logged, memory, pause, retry, send, until } from '../support/kafka.ts'
import { committed, reading } from '../support/reading.ts'

/** What the types forbid, and JavaScript passes all the same. */
const wrong = <T>(value: unknown) => value as T

describe('what would be passed over in silence is refused', () => {
  test.each<[object, string]>([
    [{ storage: 5 }, 'Invalid storage "5"'],
    [{ storage: true }, 'Invalid storage "true"'],
    [{ storage: null }, 'Invalid storage "null"'],
    [{ name: '' }, 'Invalid name ""'],
    [{ name: ['a'] }, 'Invalid name "a"'],
    [{ logLevel: 'DEBUG' }, 'Invalid logLevel, expected a number from 0 on, received DEBUG'],
    [{ retry: { retries: Number.NaN } }, 'Invalid retries, expected a number from 0 on, received NaN'],
    [{ retry: { initialRetryTime: '1s' } }, 'Invalid initialRetryTime'],
    [{ retry: { factor: -1 } }, 'Invalid factor'],
  ])('by new Kafka: %o', (config, message) => {
    expect(() => new Kafka(wrong<KafkaConfig>({ storage: 'memory', ...config }))).toThrow(message)
  })

  test('by on: a name that is no event, a listener that is no function', async () => {
    const kafka = memory()
    expect(() => kafka.on(wrong<'storage'>('degraded'), () => undefined)).toThrow(
      'Event name should be one of storage, trimmed, compacted, dropped, corrupt, panic',
    )
    expect(() => kafka.on('trimmed', wrong('loudly'))).toThrow(
      'Invalid listener, expected a function, received loudly',
    )
    const admin = kafka.admin()
    expect(() => admin.on(admin.events.CONNECT, wrong(undefined))).toThrow('Invalid listener')
  })

  test.each<[object, string]>([
    [{ groupId: '__forwarder' }, 'Invalid groupId __forwarder'],
    [{ groupInstanceId: '' }, 'Consumer groupInstanceId must be a non-empty string.'],
    [{ groupInstanceId: 7 }, 'Consumer groupInstanceId must be a non-empty string.'],
    [
      { partitionAssigners: ['stick'] },
      'Invalid partitionAssigners: there is no stick in uniform,range,roundRobin',
    ],
    [{ retry: { multiplier: {} } }, 'Invalid multiplier'],
  ])('by a consumer: %o', async (config, message) => {
    const make = async () => {
      const consumer = memory().consumer(wrong<ConsumerConfig>({ groupId: 'g', ...config }))
      await consumer.subscribe({ topics: ['t'] })
      await consumer.run({ eachMessage: async () => undefined })
    }
    await expect(make()).rejects.toThrow(message)
  })

  test.each<[object, string]>([
    [{ eachMessage: 'print' }, 'Invalid eachMessage, expected a function, received print'],
    [{ onPartitionsRevoked: 1 }, 'Invalid onPartitionsRevoked'],
    [{ autoCommitInterval: Number.NaN }, 'Invalid autoCommitInterval, expected a number from 0 on'],
    [{ autoCommitThreshold: -1 }, 'Invalid autoCommitThreshold'],
  ])('by run: %o', async (config, message) => {
    const consumer = memory().consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'] })
    const run = consumer.run(wrong<ConsumerRunConfig>({ eachMessage: async () => undefined, ...config }))
    await expect(run).rejects.toThrow(message)
    if (!('eachMessage' in config)) expect(() => consumer.stream(wrong(config))).toThrow(message)
    await consumer.disconnect()
  })

  test.each<[unknown, string]>([
    ['a', 'expected an object, received a'],
    [null, 'expected an object, received null'],
    [new Map([['a', 'b']]), 'expected an object, received [object Map]'],
    [new Headers({ a: 'b' }), 'expected an object, received [object Headers]'],
    [['a'], 'expected an object, received a'],
    [{ a: ['b', undefined] }, 'Invalid message header "a"'],
  ])('by send: headers %o', async (headers, message) => {
    const producer = memory().producer()
    await producer.connect()
    const sending = producer.send({ topic: 't', messages: [{ value: 'x', headers: wrong(headers) }] })
    await expect(sending).rejects.toThrow(message)
    await producer.disconnect()
  })

  test('by a producer: a timeout that never comes, or has passed', () => {
    for (const transactionTimeout of [Number.NaN, -1, '1m']) {
      const config = { transactionalId: 'x', transactionTimeout: wrong<number>(transactionTimeout) }
      expect(() => memory().producer(config)).toThrow('Invalid transactionTimeout')
    }
  })
})

test('an option of retry that is undefined has its default', async () => {
  const kafka = memory({ retry: { ...retry, retries: wrong(undefined), initialRetryTime: 1 } })
  await send(kafka, 't', ['poison'])
  const crashes: Error[] = []
  let calls = 0
  const consumer = kafka.consumer({ groupId: 'g', retry: { restartOnFailure: async () => false } })
  consumer.on(consumer.events.CRASH, ({ payload }) => crashes.push(payload.error))
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  await consumer.run({
    eachMessage: async () => {
      calls += 1
      throw new Error('again')
    },
  })
  await until(() => crashes.length > 0 || calls > 50, 'it gives up')
  expect(calls).toBe(6)
  await consumer.disconnect()
})

test('run without a handler says that nothing is read', async () => {
  const { entries, logCreator } = logged()
  const kafka = memory({ logLevel: 2, logCreator })
  await send(kafka, 't', ['kept'])
  const consumer = kafka.consumer({ groupId: 'g' })
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  await consumer.run(wrong({ eachmessage: async () => undefined }))
  await consumer.disconnect()
  expect(entries.map(({ log }) => log.message)).toEqual([
    'consumer#run was called without eachMessage and eachBatch: nothing is read',
  ])
  expect(await committed(kafka, 't')).toEqual(['-1'])
})

describe('commitOffsets', () => {
  test('does not wait for a join that will not be, while the consumer is being stopped', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a', 'b'])
    const panics: string[] = []
    kafka.on('panic', ({ message }) => panics.push(message))
    const { consumer } = await reading(kafka, 't')
    let over = false
    const stopping = consumer.stop().finally(() => (over = true))
    const commits: Promise<unknown>[] = []
    for (let turns = 0; !over; turns++) {
      commits.push(consumer.commitOffsets(offsets).catch(() => undefined))
      await (turns % 50 === 49 ? pause(0) : Promise.resolve())
    }
    await stopping
    const settled = Promise.allSettled(commits).then(() => 'settled')
    expect(await Promise.race([settled, pause(2_000)])).toBe('settled')
    expect(panics).toEqual([])
    await consumer.disconnect()
  })

  const offsets = [{ topic: 't', partition: 0, offset: '1' }]

  test('waits for the first join where run was not awaited', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a', 'b'])
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const running = consumer.run({ autoCommit: false, eachMessage: async () => undefined })
    await consumer.commitOffsets(offsets)
    expect(await committed(kafka, 't')).toEqual(['1'])
    await running
    await consumer.disconnect()
  })

  test('works in the first onPartitionsAssigned', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a', 'b'])
    const onPartitionsAssigned = () => consumer.commitOffsets(offsets)
    const consumer = kafka.consumer({ groupId: 'g', onPartitionsAssigned })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({ autoCommit: false, eachMessage: async () => undefined })
    expect(await committed(kafka, 't')).toEqual(['1'])
    await consumer.disconnect()
  })
})

test('deleteGroups may be tried again only where that helps', async () => {
  const kafka = memory()
  await send(kafka, 't', ['a'])
  const { consumer } = await reading(kafka, 't')
  await expect(kafka.admin().deleteGroups(['g', 'none'])).rejects.toMatchObject({ retriable: false })
  await consumer.disconnect()
})
