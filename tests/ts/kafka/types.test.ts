import { expect, expectTypeOf, test } from 'vitest'
import {
  type BrokersFunction,
  type ConsumerCrashEvent,
  type ICustomPartitioner,
  type IHeaders,
  type InstrumentationEvent,
  type ITopicConfig,
  Kafka,
  KafkaJSConnectionError,
  type logCreator,
  logLevel,
} from '../../../ts/index.ts'
import { memory } from '../support/kafka.ts'

test('code that was written for KafkaJS’s types compiles', () => {
  const brokers: BrokersFunction = async () => ['localhost:9092']
  const creator: logCreator = (level: logLevel) => (entry) => void [level, Date.parse(entry.log.timestamp)]
  const createPartitioner: ICustomPartitioner =
    () =>
    ({ message, partitionMetadata }) =>
      (message.key?.length ?? 0) % partitionMetadata.length
  const headers: IHeaders = { a: 'b', c: ['d', Buffer.from('e')] }
  const topics: ITopicConfig[] = [
    { topic: 't', numPartitions: 2, configEntries: [{ name: 'a', value: 'b' }] },
  ]
  const kafka = new Kafka({
    clientId: 'app',
    brokers,
    logLevel: logLevel.INFO,
    logCreator: creator,
    storage: 'memory',
  })
  expect(kafka.producer({ createPartitioner, idempotent: true }).isIdempotent()).toBe(true)
  expect([headers, topics]).toHaveLength(2)
  const error = new KafkaJSConnectionError('refused', { broker: 'b:9092', code: 'ECONNREFUSED' })
  expect(error).toMatchObject({ name: 'KafkaJSConnectionError', broker: 'b:9092', code: 'ECONNREFUSED' })
})

test('events have the types of their payloads', () => {
  const kafka = memory()
  const consumer = kafka.consumer({ groupId: 'g' })
  const { CRASH, CONNECT, REQUEST } = consumer.events
  consumer.on(CRASH, (event) => {
    expectTypeOf(event).toEqualTypeOf<ConsumerCrashEvent>()
    expectTypeOf(event.payload.error).toEqualTypeOf<Error>()
  })
  consumer.on(CONNECT, ({ payload }) => expectTypeOf(payload).toEqualTypeOf<null>())
  consumer.on(REQUEST, ({ payload }) => expectTypeOf(payload).toEqualTypeOf<unknown>())
  const producer = kafka.producer()
  producer.on(producer.events.DISCONNECT, (event) =>
    expectTypeOf(event).toEqualTypeOf<InstrumentationEvent<null>>(),
  )
  producer.on<number>(String(producer.events.CONNECT), ({ payload }) =>
    expectTypeOf(payload).toEqualTypeOf<number>(),
  )
  expect(Object.keys(consumer.events)).toContain('CRASH')
})
