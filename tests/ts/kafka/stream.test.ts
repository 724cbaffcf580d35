import { describe, expect, test } from 'vitest'
import { KafkaJSNonRetriableError, type StreamMessage } from '../../../ts/index.ts'
import { memory, numbers, send } from '../support/kafka.ts'
import { committed } from '../support/reading.ts'

async function streaming(kafka: ReturnType<typeof memory>, values: string[]) {
  await send(kafka, 't', values)
  const consumer = kafka.consumer({ groupId: 'g' })
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  return consumer
}

describe('a stream', () => {
  test('is read by for await, message by message', async () => {
    const kafka = memory()
    const consumer = await streaming(kafka, numbers(3))
    const seen: StreamMessage[] = []
    for await (const message of consumer.stream()) {
      seen.push(message)
      if (seen.length === 3) break
    }
    expect(
      seen.map(({ topic, partition, offset, value }) => [topic, partition, offset, String(value)]),
    ).toEqual([
      ['t', 0, '0', '0'],
      ['t', 0, '1', '1'],
      ['t', 0, '2', '2'],
    ])
    await consumer.disconnect()
  })

  test('the message at which the loop is left comes again, what was before it is committed', async () => {
    const kafka = memory()
    const consumer = await streaming(kafka, numbers(3))
    for await (const { offset } of consumer.stream()) if (offset === '1') break
    expect(await committed(kafka, 't')).toEqual(['1'])
    const again: string[] = []
    for await (const { offset } of consumer.stream()) {
      again.push(offset)
      if (offset === '2') break
    }
    expect(again).toEqual(['1', '2'])
    await consumer.disconnect()
  })

  test('an error in the loop leaves the group, and is the caller’s', async () => {
    const kafka = memory()
    const consumer = await streaming(kafka, numbers(3))
    const loop = async () => {
      for await (const { offset } of consumer.stream()) if (offset === '1') throw new Error('mine')
    }
    await expect(loop()).rejects.toThrow('mine')
    expect(consumer.assignment()).toEqual([])
    expect(await committed(kafka, 't')).toEqual(['1'])
    await consumer.disconnect()
  })

  test('reads only what is asked for', async () => {
    const kafka = memory()
    const consumer = await streaming(kafka, numbers(5))
    let batches = 0
    consumer.on(consumer.events.START_BATCH_PROCESS, () => {
      batches += 1
    })
    const stream = consumer.stream()
    expect((await stream.next()).value?.offset).toBe('0')
    expect((await stream.next()).value?.offset).toBe('1')
    await send(kafka, 't', ['more'])
    expect([batches, consumer.position({ topic: 't', partition: 0 })]).toEqual([1, '1'])
    await stream.return()
    await consumer.disconnect()
  })

  test('ends when the consumer is stopped', async () => {
    const kafka = memory()
    const consumer = await streaming(kafka, ['a'])
    const stream = consumer.stream()
    await stream.next()
    const next = stream.next()
    await consumer.disconnect()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(await committed(kafka, 't')).toEqual(['1'])
  })

  test('rejects with the reason of its signal', async () => {
    const kafka = memory()
    const consumer = await streaming(kafka, [])
    const control = new AbortController()
    const next = consumer.stream({ signal: control.signal }).next()
    await consumer.ready
    control.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
    await consumer.disconnect()
  })

  test('has one caller', async () => {
    const kafka = memory()
    const consumer = await streaming(kafka, [])
    const stream = consumer.stream()
    const first = stream.next()
    await expect(stream.next()).rejects.toThrow(KafkaJSNonRetriableError)
    await expect(stream.next()).rejects.toThrow('await it first')
    expect(() => consumer.stream()).toThrow('call stop() first or use another consumer')
    await send(kafka, 't', ['a'])
    expect((await first).value?.offset).toBe('0')
    await stream.return()
    await consumer.disconnect()
  })

  test('several partitions at a time lose and repeat nothing', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 3 }] })
    for (let partition = 0; partition < 3; partition++) await send(kafka, 't', numbers(10), partition)
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const seen: string[][] = [[], [], []]
    for await (const { partition, value } of consumer.stream({ partitionsConsumedConcurrently: 3 })) {
      seen[partition]?.push(String(value))
      if (seen.flat().length === 30) break
    }
    expect(seen).toEqual([numbers(10), numbers(10), numbers(10)])
    await consumer.disconnect()
  })

  test('with await using ends by itself', async () => {
    const kafka = memory()
    const consumer = await streaming(kafka, ['a'])
    const stream = consumer.stream()
    await stream.next()
    await stream[Symbol.asyncDispose]()
    expect(consumer.assignment()).toEqual([])
    await consumer.disconnect()
  })
})
