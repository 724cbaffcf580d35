import { expect, test } from 'vitest'
import type { ProducerInterceptor } from '../../../ts/index.ts'
import { logged, memory } from '../support/kafka.ts'
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
