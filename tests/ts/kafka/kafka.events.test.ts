import { expect, test } from 'vitest'
import { Kafka, type KafkaEvents } from '../../../ts/index.ts'
import { use } from '../../../ts/kafka/node.ts'
import type { NodeEvent } from '../../../ts/native/types.ts'
import { logged, memory } from '../support/kafka.ts'

const place = { topic: 't', partition: 1 }

const cases: [string, keyof KafkaEvents, object, string[]][] = [
  ['storage.blocked', 'storage', { state: 'blocked', message: 'why' }, ['WARN']],
  ['storage.degraded', 'storage', { state: 'degraded', message: 'why' }, ['WARN']],
  ['storage.recovered', 'storage', { state: 'recovered', message: 'why' }, ['INFO']],
  ['log.trimmed', 'trimmed', { ...place, logStartOffset: '5' }, []],
  ['log.compacted', 'compacted', { ...place, records: '3' }, []],
  ['log.dropped', 'dropped', { ...place, records: '3', logStartOffset: '5' }, ['WARN']],
  ['log.corrupt', 'corrupt', { ...place, first: '2', last: '4', reason: 'CRC' }, ['ERROR']],
  ['panic', 'panic', { message: 'why', lost: [{ topic: 't', records: '2' }] }, ['ERROR']],
]

test.each(cases)('%s is told as %s', async (type, name, told, levels) => {
  const { entries, logCreator } = logged()
  const log = `events-${type}`
  const kafka = memory({ name: log, logLevel: 4, logCreator })
  const heard: object[] = []
  const stop = kafka.on(name, (event) => heard.push(event))
  const producer = kafka.producer()
  await producer.connect()
  const node = use({ name: log, storage: 'memory' })
  const { state: _, ...fields } = told as Record<string, unknown>
  const event: NodeEvent = { type, ...fields }
  node.event(event)
  expect(heard).toEqual([told])
  expect(entries.map(({ label }) => label)).toEqual(levels)
  stop()
  node.event(event)
  expect(heard).toHaveLength(1)
  await producer.disconnect()
})

test('a page that may not even look at IndexedDB has a log in memory', async () => {
  const denied = () => {
    throw new DOMException('denied', 'SecurityError')
  }
  Object.defineProperty(globalThis, 'indexedDB', { get: denied, configurable: true })
  try {
    const { entries, logCreator } = logged()
    const kafka = new Kafka({ name: 'denied', logCreator })
    const heard: string[] = []
    kafka.on('storage', ({ state }) => heard.push(state))
    const producer = kafka.producer()
    await producer.connect()
    const [sent] = await producer.send({ topic: 't', messages: [{ value: 'x' }] })
    expect(sent?.baseOffset).toBe('0')
    expect(heard).toEqual(['degraded'])
    expect(entries.map(({ label }) => label)).toEqual(['WARN'])
    await producer.disconnect()
  } finally {
    Reflect.deleteProperty(globalThis, 'indexedDB')
  }
})
