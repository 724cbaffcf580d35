import { describe, expect, test } from 'vitest'
import { KafkaJSNonRetriableError, type OffsetsByTopicPartition } from '../../../ts/index.ts'
import { logged, memory, numbers, send, until } from '../support/kafka.ts'
import { committed, reading } from '../support/reading.ts'

const place = { topic: 't', partition: 0 }

describe('where a consumer stands', () => {
  test('is told of what it is assigned', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(5))
    const { consumer, seen } = await reading(kafka, 't')
    await seen(5)
    expect(consumer.assignment()).toEqual([place])
    await until(() => consumer.position(place) === '5', 'it stands at the end')
    expect(await consumer.beginningOffsets()).toEqual([{ ...place, offset: '0' }])
    expect(await consumer.endOffsets()).toEqual([{ ...place, offset: '5' }])
    expect(await consumer.currentLag()).toEqual([{ ...place, lag: '0' }])
    consumer.pause([place])
    await send(kafka, 't', numbers(2))
    expect(await consumer.currentLag()).toEqual([{ ...place, lag: '2' }])
    await consumer.stop()
    expect(consumer.assignment()).toEqual([])
    expect(await consumer.committed([place])).toEqual([{ ...place, offset: '5', metadata: null }])
    await consumer.disconnect()
  })

  test('is refused for what it is not assigned', async () => {
    const { consumer } = await reading(memory(), 't')
    const other = { topic: 't', partition: 7 }
    expect(() => consumer.position(other)).toThrow(KafkaJSNonRetriableError)
    expect(() => consumer.position(other)).toThrow('t/7 is not assigned to this consumer')
    expect(await consumer.committed([other])).toEqual([{ ...other, offset: '-1', metadata: null }])
    expect(await consumer.endOffsets([other])).toEqual([{ ...other, offset: '-1' }])
    await consumer.disconnect()
  })

  test('is found by time', async () => {
    const kafka = memory()
    const producer = kafka.producer()
    await producer.connect()
    const messages = [100, 200, 300].map((timestamp) => ({ value: 'x', timestamp: String(timestamp) }))
    await producer.send({ topic: 't', messages })
    const consumer = kafka.consumer({ groupId: 'g' })
    const found = await consumer.offsetsForTimes(
      [200, 201, 301].map((timestamp) => ({ ...place, timestamp })),
    )
    expect(found.map(({ offset }) => offset)).toEqual(['1', '2', '3'])
    await producer.disconnect()
    await consumer.disconnect()
  })

  test('within a batch it is the next message', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const positions: string[] = []
    const { consumer } = await reading(kafka, 't', {
      eachMessage: async () => void positions.push(consumer.position(place)),
    }).then((made) => made)
    await until(() => positions.length === 3, 'all are handled')
    expect(positions).toEqual(['0', '1', '2'])
    await consumer.disconnect()
  })
})

describe('readiness', () => {
  test('comes with the first assignment, and again with the next run', async () => {
    const kafka = memory()
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'] })
    for (let round = 0; round < 2; round++) {
      const { ready } = consumer
      let joined = false
      void ready.then(() => {
        joined = true
      })
      await Promise.resolve()
      expect(joined).toBe(false)
      void consumer.run({ eachMessage: async () => undefined })
      await ready
      expect(consumer.assignment()).toEqual([place])
      await consumer.stop()
    }
    await consumer.disconnect()
  })

  test('an aborted signal stops the consumer, before it joins and afterwards', async () => {
    const kafka = memory()
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'] })
    const early = AbortSignal.abort(new Error('too late'))
    await expect(consumer.run({ eachMessage: async () => undefined, signal: early })).rejects.toThrow(
      'too late',
    )
    await consumer.stop()
    const control = new AbortController()
    await consumer.run({ eachMessage: async () => undefined, signal: control.signal })
    control.abort()
    await until(() => consumer.assignment().length === 0, 'it has stopped')
    await consumer.disconnect()
  })

  test('a stop with a signal does not wait for a handler that hangs', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    let called = false
    const { consumer } = await reading(kafka, 't', {
      eachMessage: () => {
        called = true
        return new Promise(() => undefined)
      },
    })
    await until(() => called, 'it hangs')
    await consumer.disconnect({ signal: AbortSignal.abort() })
    expect(await committed(kafka, 't')).toEqual(['-1'])
  })
})

describe('what is watched', () => {
  test('lag, as often as is asked for', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const consumer = kafka.consumer({ groupId: 'g', lagInterval: 5 })
    const lags: unknown[] = []
    consumer.on(consumer.events.LAG, ({ payload }) => lags.push(payload))
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const run = consumer.run({ eachMessage: async () => undefined })
    consumer.pause([{ topic: 't' }])
    await run
    await until(() => lags.length >= 2, 'it is told twice')
    expect(lags[1]).toEqual({ groupId: 'g', partitions: [{ ...place, lag: '3' }] })
    await consumer.disconnect()
  })

  test('a handler that does not end is told once', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const consumer = kafka.consumer({ groupId: 'g', stallTimeout: 10 })
    const stalls: unknown[] = []
    consumer.on(consumer.events.STALLED, ({ payload }) => stalls.push(payload))
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    let finish: () => void = () => undefined
    await consumer.run({
      eachMessage: ({ message }) =>
        message.offset === '1' ? new Promise<void>((resolve) => (finish = resolve)) : Promise.resolve(),
    })
    await until(() => stalls.length === 1, 'it is told')
    expect(stalls).toEqual([{ groupId: 'g', ...place, offset: '1', duration: 10 }])
    finish()
    await consumer.disconnect()
    expect(stalls.length).toBe(1)
  })
})

describe('interceptors', () => {
  test('see and replace what is read, and hear of commits', async () => {
    const { entries, logCreator } = logged()
    const kafka = memory({ logLevel: 1, logCreator })
    await send(kafka, 't', numbers(4))
    const commits: OffsetsByTopicPartition[] = []
    const consumer = kafka.consumer({
      groupId: 'g',
      interceptors: [
        { onConsume: (messages) => messages.filter(({ offset }) => offset !== '1') },
        {
          onConsume: () => {
            throw new Error('broken')
          },
          onCommit: (offsets) => commits.push(offsets),
        },
      ],
    })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const seen: string[] = []
    await consumer.run({ eachMessage: async ({ message }) => void seen.push(message.offset) })
    await until(() => commits.length > 0, 'it is committed')
    expect(seen).toEqual(['0', '2', '3'])
    expect(commits).toEqual([{ topics: [{ topic: 't', partitions: [{ partition: 0, offset: '4' }] }] }])
    expect(entries[0]?.log.message).toBe('An interceptor has failed: broken')
    await consumer.disconnect()
  })
})
