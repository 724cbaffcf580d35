import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type Kafka, KafkaJSNonRetriableError, type StandardSchema, type Topic } from '../../../ts/index.ts'
import { memory, pause, until } from '../support/kafka.ts'

interface Order {
  id: string
  total: number
}

const message = { name: 'KafkaJSNonRetriableError', type: 'INVALID_RECORD', code: 87, retriable: false }

async function sendAll<Input>(kafka: Kafka, topic: Topic<Input, unknown>, values: (Input | null)[]) {
  const producer = kafka.producer()
  await producer.connect()
  const metadata = await topic.send(
    producer,
    values.map((value) => ({ value })),
  )
  await producer.disconnect()
  return metadata
}

/** What the topic's handler is given of `count` messages. */
async function readAll<Output>(kafka: Kafka, topic: Topic<never, Output>, count: number) {
  const consumer = kafka.consumer({ groupId: 'readers' })
  await consumer.subscribe({ topics: [topic.name], fromBeginning: true })
  const read: (Output | null | Error)[] = []
  const eachMessage = topic.each(
    ({ value }) => read.push(value),
    (error) => read.push(error),
  )
  await consumer.run({ eachMessage })
  await until(() => read.length >= count, `${count} values arrive`)
  await consumer.disconnect()
  return read
}

describe('a typed topic', () => {
  test('carries values as JSON, and tombstones as they are', async () => {
    const kafka = memory()
    const orders = kafka.topic<Order>('orders')
    const [metadata] = await sendAll(kafka, orders, [{ id: 'a', total: 1 }, null])
    expect(metadata).toMatchObject({ topicName: 'orders', baseOffset: '0' })
    expect(await readAll(kafka, orders, 2)).toEqual([{ id: 'a', total: 1 }, null])
    expect(await orders.encode({ key: 'k', value: { id: 'a', total: 1 } })).toEqual({
      key: 'k',
      value: '{"id":"a","total":1}',
    })
  })

  const schemas: [
    string,
    StandardSchema<{ id: string; n?: number | undefined }, { id: string; n: number }>,
  ][] = [
    ['zod', z.object({ id: z.string(), n: z.number().default(7) })],
    ['valibot', v.object({ id: v.string(), n: v.optional(v.number(), 7) })],
    ['arktype', type({ id: 'string', n: 'number = 7' })],
  ]
  test.each(schemas)('is checked by a schema of %s, which completes what is read', async (_, schema) => {
    const kafka = memory()
    const topic = kafka.topic('t', { schema })
    await sendAll(kafka, topic, [{ id: 'a' }, { id: 'b', n: 1 }])
    expect(await readAll(kafka, topic, 2)).toEqual([
      { id: 'a', n: 7 },
      { id: 'b', n: 1 },
    ])
    const refused = sendAll(kafka, topic, [{ id: 'c' }, { id: 5 as never }])
    await expect(refused).rejects.toThrow(KafkaJSNonRetriableError)
    await expect(refused).rejects.toMatchObject(message)
    await expect(refused).rejects.toThrow(/^Invalid value for topic "t": id: ./)
    expect(await kafka.admin().fetchTopicOffsets('t')).toMatchObject([{ high: '2' }])
  })

  test('stores what was given, so that a schema with a transform reads what it has sent', async () => {
    const kafka = memory()
    const topic = kafka.topic('t', {
      schema: z.object({ at: z.string().transform((text) => new Date(text)) }),
    })
    await sendAll(kafka, topic, [{ at: '2020-01-02T00:00:00.000Z' }])
    expect(await readAll(kafka, topic, 1)).toEqual([{ at: new Date('2020-01-02T00:00:00.000Z') }])
  })

  test('waits for a schema that takes its time', async () => {
    const schema: StandardSchema<string, string> = {
      '~standard': {
        version: 1,
        vendor: 'tests',
        validate: async (value) => {
          await pause(1)
          return value === 'good'
            ? { value }
            : { issues: [{ message: 'no', path: ['a', { key: 0 }] }, { message: 'bad' }] }
        },
      },
    }
    const topic = memory().topic('t', { schema })
    expect(await topic.encode({ value: 'good' })).toEqual({ value: '"good"' })
    await expect(topic.encode({ value: 'evil' })).rejects.toThrow('Invalid value for topic "t": a.0: no; bad')
  })

  test('hands what cannot be read to whoever wants it, and passes over other topics', async () => {
    const kafka = memory()
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({
      topic: 't',
      messages: [{ value: 'no json' }, { value: '{"id":1}' }, { value: '{"id":"x"}' }],
    })
    const topic = kafka.topic('t', { schema: z.object({ id: z.string() }) })
    expect(await readAll(kafka, topic, 3)).toEqual([
      expect.objectContaining({ ...message, cause: expect.any(SyntaxError) }),
      expect.objectContaining(message),
      { id: 'x' },
    ])
    const seen: unknown[] = []
    const each = topic.each((payload) => seen.push(payload))
    const payload = { partition: 0, heartbeat: async () => undefined, pause: () => () => undefined }
    const record = {
      key: null,
      value: Buffer.from('no json'),
      timestamp: '0',
      attributes: 0,
      offset: '0',
      headers: {},
    }
    const given = { ...payload, message: { ...record, magicByte: 2 as const } }
    await each({ ...given, topic: 'other' })
    expect(seen).toEqual([])
    await expect(each({ ...given, topic: 't' })).rejects.toMatchObject(message)
  })

  test('may be written in another way than JSON', async () => {
    const serializer = {
      serialize: (value: unknown) => Uint8Array.of(value as number),
      deserialize: (bytes: Uint8Array) => bytes[0],
    }
    const kafka = memory()
    const topic = kafka.topic<number>('t', { serializer })
    await sendAll(kafka, topic, [5, 6])
    expect(await readAll(kafka, topic, 2)).toEqual([5, 6])
  })

  test('has a name', () => {
    expect(() => memory().topic('')).toThrow('Invalid topic ')
  })
})
