import { expect, test } from 'vitest'
import type { ConsumerInterceptor, ProducerInterceptor } from '../../../ts/index.ts'
import { logged, memory, send, until } from '../support/kafka.ts'
import { reading } from '../support/reading.ts'

/** What a producer with these interceptors stores of two messages. */
async function stored(interceptors: ProducerInterceptor[], config = {}) {
  const kafka = memory(config)
  const producer = kafka.producer({ interceptors })
  await producer.connect()
  await producer.send({ topic: 't', messages: [{ value: 'a' }, { value: 'b' }] })
  const { values, seen, consumer } = await reading(kafka, 't')
  await seen(2)
  await consumer.disconnect()
  return { values, producer }
}

const adding = (text: string): ProducerInterceptor => ({
  onSend: ({ message }) => ({ ...message, value: `${message.value}${text}` }),
})

test('interceptors change what is sent, one after another', async () => {
  const { values } = await stored([adding('1'), adding('2')])
  expect(values).toEqual(['a12', 'b12'])
})

test('one that throws is passed over, and logged', async () => {
  const { entries, logCreator } = logged()
  const thrower: ProducerInterceptor = {
    onSend: () => {
      throw new Error('cannot')
    },
    onAcknowledgement: () => {
      throw new Error('will not')
    },
  }
  const { values } = await stored([adding('1'), thrower, adding('2')], { logLevel: 1, logCreator })
  expect(values).toEqual(['a12', 'b12'])
  const messages = entries.filter(({ namespace }) => namespace === 'Producer').map(({ log }) => log.message)
  const said = (reason: string) => `A producer interceptor failed, and was passed over: ${reason}`
  expect(messages).toEqual([said('cannot'), said('cannot'), said('will not')])
})

test('they hear where the messages went, or why they did not', async () => {
  const outcomes: object[] = []
  const { producer } = await stored([{ onAcknowledgement: (outcome) => outcomes.push(outcome) }])
  await expect(producer.send({ topic: 'no/name', messages: [{ value: 'x' }] })).rejects.toThrow()
  expect(outcomes).toEqual([
    { topic: 't', metadata: [expect.objectContaining({ partition: 0, baseOffset: '0' })] },
    { topic: 'no/name', metadata: [], error: expect.objectContaining({ type: 'INVALID_TOPIC_EXCEPTION' }) },
  ])
})

test('what they make must be a message', async () => {
  const refused = stored([{ onSend: () => ({}) as never }])
  await expect(refused).rejects.toThrow('Invalid message without value for topic "t": {}')
})

test('they see the messages of a transaction', async () => {
  const kafka = memory()
  const producer = kafka.producer({ transactionalId: 'tx', interceptors: [adding('!')] })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic: 't', messages: [{ value: 'a' }] })
  await transaction.commit()
  const { values, seen, consumer } = await reading(kafka, 't')
  await seen(1)
  expect(values).toEqual(['a!'])
  await consumer.disconnect()
})

test.each<[string, ConsumerInterceptor['onConsume'] | unknown]>([
  ['a promise', async (messages: unknown) => messages],
  ['a text', () => 'nothing'],
  ['what has no offsets', () => [{ value: 'x' }]],
])('messages are not lost where onConsume answers %s', async (_, onConsume) => {
  const { entries, logCreator } = logged()
  const kafka = memory({ logLevel: 1, logCreator })
  await send(kafka, 't', ['a', 'b'])
  const interceptors = [{ onConsume } as ConsumerInterceptor]
  const { values, seen, consumer } = await reading(kafka, 't', { interceptors })
  await seen(2)
  await consumer.disconnect()
  expect(values).toEqual(['a', 'b'])
  expect(entries.map(({ log }) => log.message)).toEqual([
    'An interceptor has failed: onConsume has to answer messages',
  ])
})

test('one that fails later is logged, and harms nobody', async () => {
  const { entries, logCreator } = logged()
  const fails = async () => {
    throw new Error('later')
  }
  const kafka = memory({ logLevel: 1, logCreator })
  const producer = kafka.producer({ interceptors: [{ onAcknowledgement: fails }] })
  await producer.connect()
  await producer.send({ topic: 't', messages: [{ value: 'a' }] })
  await producer.disconnect()
  const { seen, consumer } = await reading(kafka, 't', { interceptors: [{ onCommit: fails }] })
  await seen(1)
  await consumer.disconnect()
  await until(() => entries.length === 2, 'both are logged')
  expect(entries.map(({ log }) => log.message)).toEqual([
    'A producer interceptor failed, and was passed over: later',
    'An interceptor has failed: later',
  ])
})
