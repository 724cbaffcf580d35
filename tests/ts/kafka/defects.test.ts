import { beforeEach, describe, expect, test, vi } from 'vitest'
import { functionSink, type Kafka } from '../../../ts/index.ts'
import { instance } from '../../../ts/native/instance.ts'
import { memory, pause, send, textOf, until } from '../support/kafka.ts'

/** The memories of all instances of the wasm. */
const memories = vi.hoisted((): WebAssembly.Memory[] => [])

vi.mock(import('../../../ts/generated/page-glue.js'), async (original) => {
  const { createGlue } = await original()
  return {
    createGlue: (instantiate) => {
      const glue = createGlue(instantiate)
      const start: typeof glue.default = async (...given) => {
        const exported = await glue.default(...given)
        memories.push(exported.memory)
        return exported
      }
      return { ...glue, default: start }
    },
  }
})

/** What a defect may leave behind: the next call traps. */
function destroy(): void {
  const memory = memories.at(-1)
  if (memory !== undefined) new Uint8Array(memory.buffer).fill(0xff)
}

/** A log whose defects are counted. */
function watched(): { kafka: Kafka; panics: string[] } {
  const kafka = memory()
  const panics: string[] = []
  kafka.on('panic', ({ message }) => panics.push(message))
  return { kafka, panics }
}

describe('where the wasm traps', () => {
  // Each test begins with a past of its own.
  beforeEach(() => vi.useRealTimers())

  test('the call fails, and the next one opens the log again', async () => {
    const { kafka, panics } = watched()
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic: 't', messages: [{ value: 'x' }] })
    const before = memories.length
    destroy()
    const failed = producer.send({ topic: 't', messages: [{ value: 'x' }] })
    await expect(failed).rejects.toMatchObject({ type: 'PANIC', kind: 'Internal', retriable: true })
    expect(panics).toHaveLength(1)
    const [again] = await producer.send({ topic: 't', messages: [{ value: 'x' }] })
    expect(again?.baseOffset).toBe('0')
    expect(memories).toHaveLength(before + 1)
    await producer.disconnect()
  })

  test('what waits fails at once, and a consumer joins again', async () => {
    const { kafka, panics } = watched()
    const consumer = kafka.consumer({ groupId: 'g' })
    const values: string[] = []
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({ eachMessage: async (payload) => void values.push(textOf(payload)) })
    await send(kafka, 't', ['before'])
    await until(() => values.length === 1, 'the first is read')
    ;(await instance()).poison('as if it had panicked')
    await until(() => panics.length === 1, 'the defect is told')
    await send(kafka, 't', ['after'])
    await until(() => values.length === 2, 'the second is read')
    expect(values).toEqual(['before', 'after'])
    await consumer.disconnect()
  })

  test('in a task of its own, where nobody called it, the page hears nothing, and all goes on', async () => {
    const { kafka, panics } = watched()
    const consumer = kafka.consumer({ groupId: 'g', heartbeatInterval: 20 })
    const values: string[] = []
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({ eachMessage: async (payload) => void values.push(textOf(payload)) })
    destroy()
    await until(() => panics.length === 1, 'its next timer finds the memory destroyed')
    await send(kafka, 't', ['after'])
    await until(() => values.length === 1, 'the record is read')
    await consumer.disconnect()
  })

  test('a stopped consumer does not touch what is lost', async () => {
    const { kafka } = watched()
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'] })
    await consumer.run({ eachMessage: async () => undefined })
    ;(await instance()).poison('as if it had panicked')
    consumer.seek({ topic: 't', partition: 0, offset: '0' })
    await consumer.disconnect()
  })

  test('forwarders go on by themselves', async () => {
    const { kafka, panics } = watched()
    const values: string[] = []
    const sink = functionSink(async (records) => {
      for (const { value } of records) values.push(String(value))
    })
    const forwarder = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    await send(kafka, 't', ['a'])
    await until(() => values.length === 1, 'the first is forwarded')
    ;(await instance()).poison('as if it had panicked')
    await until(() => panics.length === 1, 'the defect is told')
    await pause(1_200)
    await send(kafka, 't', ['b'])
    await until(() => values.length === 2, 'the second is forwarded')
    expect(values).toEqual(['a', 'b'])
    await forwarder.stop()
  })

  test('what the log had in memory alone is counted, once', async () => {
    const kafka = memory()
    const lost: object[] = []
    kafka.on('panic', (event) => lost.push(event.lost))
    const producer = kafka.producer({ transactionalId: 'id' })
    await producer.connect()
    await producer.send({ topic: 'sent', messages: [{ value: 'a' }, { value: 'b' }] })
    await producer.send({ topic: 'sent', acks: 0, messages: [{ value: 'c' }] })
    await producer.send({ topic: 'deleted', messages: [{ value: 'a' }] })
    await producer.flush()
    const aborted = await producer.transaction()
    await aborted.send({ topic: 'committed', messages: [{ value: 'a' }] })
    await aborted.abort()
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'committed', messages: [{ value: 'a' }, { value: 'b' }] })
    await transaction.commit()
    await kafka.admin().deleteTopics({ topics: ['deleted'] })
    ;(await instance()).poison('as if it had panicked')
    await until(() => lost.length === 1, 'the defect is told')
    await send(kafka, 'sent', ['of the next log'])
    ;(await instance()).poison('as if it had panicked again')
    await until(() => lost.length === 2, 'the second defect is told')
    expect(lost).toEqual([
      [
        { topic: 'sent', records: '3' },
        { topic: 'committed', records: '2' },
      ],
      [{ topic: 'sent', records: '1' }],
    ])
    await producer.disconnect()
  })

  test('what a forwarder has delivered from memory is not lost', async () => {
    const kafka = memory()
    const lost: object[] = []
    kafka.on('panic', (event) => lost.push(event.lost))
    const sink = functionSink(async () => undefined)
    const forwarder = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    const delivered: string[] = []
    forwarder.on('delivered', ({ committed }) => delivered.push(committed))
    await send(kafka, 't', ['a', 'b'])
    await send(kafka, 'other', ['c'])
    await until(() => delivered.includes('2'), 'both are delivered')
    ;(await instance()).poison('as if it had panicked')
    await until(() => lost.length === 1, 'the defect is told')
    expect(lost).toEqual([[{ topic: 'other', records: '1' }]])
    await forwarder.stop()
  })

  test('again and again, the log stays closed for a while', async () => {
    const { kafka, panics } = watched()
    const admin = kafka.admin()
    for (let count = 1; count <= 5; count++) {
      await admin.listTopics()
      ;(await instance()).poison('as if it had panicked')
      await until(() => panics.length === count, 'the defect is told')
    }
    await expect(admin.listTopics()).rejects.toMatchObject({ type: 'PANIC', retriable: true })
    vi.useFakeTimers({ now: Date.now() + 61_000, toFake: ['Date'] })
    expect(await admin.listTopics()).toEqual([])
    vi.useRealTimers()
  })
})
