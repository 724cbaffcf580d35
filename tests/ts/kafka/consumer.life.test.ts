import { describe, expect, test, vi } from 'vitest'
import {
  type EachMessagePayload,
  type InstrumentationEvent,
  KafkaJSNonRetriableError,
} from '../../../ts/index.ts'
import { release, use } from '../../../ts/kafka/node.ts'
import { logged, memory, numbers, pause, send, textOf, until } from '../support/kafka.ts'
import { committed, reading } from '../support/reading.ts'

describe('a failing handler', () => {
  test('gets the same message again, after what came before was committed', async () => {
    const { entries, logCreator } = logged()
    const kafka = memory({ logLevel: 1, logCreator })
    await send(kafka, 't', numbers(3))
    const values: string[] = []
    const eachMessage = async (payload: EachMessagePayload) => {
      values.push(textOf(payload))
      if (values.length === 2) throw new Error('not now')
      if (values.length === 3) expect(await committed(kafka, 't')).toEqual(['1'])
    }
    const { consumer } = await reading(kafka, 't', { eachMessage })
    await until(() => values.length === 4, 'all are handled')
    expect(values).toEqual(['0', '1', '1', '2'])
    await consumer.stop()
    expect(await committed(kafka, 't')).toEqual(['3'])
    expect(entries[0]).toMatchObject({
      namespace: 'Consumer',
      log: {
        message: 'Error when calling eachMessage',
        topic: 't',
        partition: 0,
        offset: '1',
        error: 'not now',
      },
    })
    await consumer.disconnect()
  })

  test('crashes the consumer in the end, which begins again', async () => {
    const kafka = memory()
    await send(kafka, 't', ['poison'])
    let calls = 0
    const consumer = kafka.consumer({ groupId: 'g' })
    const events: [string, unknown][] = []
    const { CRASH, STOP, DISCONNECT } = consumer.events
    for (const name of [CRASH, STOP, DISCONNECT])
      consumer.on(name, ({ type, payload }) => events.push([type, payload]))
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      eachMessage: async () => {
        calls += 1
        if (calls <= 3) throw new Error('poisoned')
      },
    })
    await until(() => calls === 4, 'it has begun again')
    const error = expect.objectContaining({
      name: 'KafkaJSNumberOfRetriesExceeded',
      message: 'poisoned',
      retryCount: 2,
      cause: expect.objectContaining({ message: 'poisoned' }),
    })
    expect(events).toEqual([
      ['consumer.stop', null],
      ['consumer.disconnect', null],
      ['consumer.crash', { error, groupId: 'g', restart: true }],
    ])
    await consumer.stop()
    expect(await committed(kafka, 't')).toEqual(['1'])
    await consumer.disconnect()
  })

  test('does not begin again where the application says so', async () => {
    const restartOnFailure = vi.fn(async () => false)
    const kafka = memory({ retry: { initialRetryTime: 1, retries: 0, restartOnFailure } })
    await send(kafka, 't', ['poison'])
    const consumer = kafka.consumer({ groupId: 'g' })
    const crashes: InstrumentationEvent<{ restart: boolean }>[] = []
    consumer.on<{ restart: boolean }>(consumer.events.CRASH, (event) => crashes.push(event))
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({ eachMessage: async () => Promise.reject(new Error('poisoned')) })
    await until(() => crashes.length === 1, 'it crashes')
    expect(crashes[0]?.payload.restart).toBe(false)
    expect(restartOnFailure).toHaveBeenCalledWith(expect.objectContaining({ message: 'poisoned' }))
    expect(() => consumer.pause([{ topic: 't' }])).toThrow('consumer#run must be called first')
    await consumer.subscribe({ topics: ['other'] })
    await consumer.disconnect()
  })

  test.each([
    ['a mistake in the program', new TypeError('undefined is not a function')],
    ['an error that says so', new KafkaJSNonRetriableError('never')],
  ])('%s is not tried again, nor does the consumer begin again', async (_, error) => {
    const kafka = memory({ retry: { initialRetryTime: 1, retries: 9 } })
    await send(kafka, 't', ['x'])
    let calls = 0
    const consumer = kafka.consumer({ groupId: 'g' })
    const crashed = new Promise((resolve) =>
      consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload)),
    )
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      eachMessage: async () => {
        calls += 1
        throw error
      },
    })
    const final = expect.objectContaining({ name: 'KafkaJSNonRetriableError', cause: error })
    expect(await crashed).toEqual({ error: final, groupId: 'g', restart: false })
    expect(calls).toBe(1)
    await consumer.disconnect()
  })

  test('can be stopped while it waits for the next try', async () => {
    const kafka = memory({ retry: { initialRetryTime: 60_000, retries: 5 } })
    await send(kafka, 't', ['x'])
    let calls = 0
    const eachMessage = async () => {
      calls += 1
      throw new Error('not now')
    }
    const { consumer } = await reading(kafka, 't', { eachMessage })
    await until(() => calls === 1, 'it has failed')
    await consumer.disconnect()
    expect(await committed(kafka, 't')).toEqual(['-1'])
  })
})

describe('stop', () => {
  test('waits for the handler and its commit, and hands out nothing more', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const values: string[] = []
    let finish: () => void = () => undefined
    const eachMessage = async (payload: EachMessagePayload) => {
      values.push(textOf(payload))
      await new Promise<void>((resolve) => {
        finish = resolve
      })
    }
    const { consumer } = await reading(kafka, 't', { eachMessage })
    await until(() => values.length === 1, 'the first is being handled')
    let stopped = false
    const disconnected = consumer.disconnect().then(() => {
      stopped = true
    })
    await pause(30)
    expect(stopped).toBe(false)
    finish()
    await disconnected
    expect(values).toEqual(['0'])
    expect(await committed(kafka, 't')).toEqual(['1'])
  })

  test('inside of a listener does not hang, and commits the batch', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const stopped = new Promise<void>((resolve) => {
      consumer.on(consumer.events.END_BATCH_PROCESS, async () => {
        await consumer.stop()
        resolve()
      })
    })
    await consumer.run({ eachMessage: async () => undefined })
    await stopped
    expect(await committed(kafka, 't')).toEqual(['3'])
    await consumer.disconnect()
  })

  test.each(['stop', 'disconnect'] as const)(
    'that a handler waits for, %s, ends when the handler has had its time, and says why',
    async (ending) => {
      const { entries, logCreator } = logged()
      const kafka = memory({ logLevel: 2, logCreator })
      await send(kafka, 't', numbers(3))
      const consumer = kafka.consumer({ groupId: 'g', rebalanceTimeout: 20 })
      await consumer.subscribe({ topics: ['t'], fromBeginning: true })
      const handled: string[] = []
      await consumer.run({
        eachMessage: async (payload) => {
          if (textOf(payload) === '1') await consumer[ending]()
          handled.push(textOf(payload))
        },
      })
      await until(() => handled.length === 2, 'the handler goes on')
      expect(handled).toEqual(['0', '1'])
      // The message whose handler was given up comes again; what was handled before it does not.
      expect(await committed(kafka, 't')).toEqual(['1'])
      const message = expect.stringMatching(/stop\(\) or disconnect\(\), each waits for the other/)
      const warning = expect.objectContaining({ message, topic: 't', partition: 0, offset: '1' })
      expect(entries.map(({ log }) => log)).toContainEqual(warning)
      await consumer.disconnect()
    },
  )

  test('is one, however often it is called, and tells so once', async () => {
    const { consumer } = await reading(memory(), 't')
    const types: string[] = []
    const { STOP, DISCONNECT } = consumer.events
    for (const name of [STOP, DISCONNECT]) consumer.on(name, ({ type }) => types.push(type))
    await Promise.all([consumer.stop(), consumer.stop(), consumer.disconnect()])
    expect(types).toEqual(['consumer.stop', 'consumer.disconnect'])
  })
})

describe('a page that goes away', () => {
  test.each(['closing', 'hidden', 'suspend'])(
    '(%s) has what it handled committed at once',
    async (change) => {
      const kafka = memory({ name: `leaving-${change}` })
      await send(kafka, 't', numbers(5))
      const node = use({ name: `leaving-${change}`, storage: 'memory' })
      const values: string[] = []
      let finish: () => void = () => undefined
      const { consumer } = await reading(kafka, 't', {
        eachMessage: (payload) => {
          values.push(textOf(payload))
          return values.length < 3 ? Promise.resolve() : new Promise((resolve) => (finish = resolve))
        },
      })
      await until(() => values.length === 3, 'the third is being handled')
      node.event({ type: `page.${change}` })
      expect(await committed(kafka, 't')).toEqual(['2'])
      finish()
      // It stayed after all, and goes on.
      await until(() => values.length === 4, 'the fourth is being handled')
      finish()
      await consumer.disconnect()
      release({ name: `leaving-${change}`, storage: 'memory' })
      expect(values.slice(0, 4)).toEqual(numbers(4))
    },
  )
})

describe('events', () => {
  test('tell what happens, with their payloads', async () => {
    const kafka = memory({ clientId: 'app' })
    const consumer = kafka.consumer({ groupId: 'g', heartbeatInterval: 0 })
    const events = new Map<string, unknown[]>()
    for (const name of Object.values(consumer.events)) {
      consumer.on(name, ({ type, payload }) => events.set(type, [...(events.get(type) ?? []), payload]))
    }
    await send(kafka, 't', numbers(2))
    await consumer.connect()
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({ eachMessage: async ({ heartbeat }) => heartbeat() })
    await until(() => events.has('consumer.commit_offsets'), 'it has committed')
    await consumer.disconnect()
    const memberId = expect.stringMatching(/^app-[0-9a-f-]{36}$/)
    const duration = expect.any(Number)
    const batch = {
      topic: 't',
      partition: 0,
      highWatermark: '2',
      offsetLag: '0',
      offsetLagLow: '1',
      batchSize: 2,
      firstOffset: '0',
      lastOffset: '1',
    }
    expect(events.get('consumer.connect')).toEqual([null])
    expect(events.get('consumer.group_join')).toEqual([
      {
        groupId: 'g',
        memberId,
        leaderId: memberId,
        isLeader: true,
        groupProtocol: 'uniform',
        memberAssignment: { t: [0] },
        duration,
      },
    ])
    expect(events.get('consumer.fetch')).toContainEqual({ nodeId: 0, numberOfBatches: 1, duration })
    expect(events.get('consumer.start_batch_process')).toEqual([batch])
    expect(events.get('consumer.end_batch_process')).toEqual([{ ...batch, duration }])
    const member = { groupId: 'g', memberId, groupGenerationId: 1 }
    const topics = [{ topic: 't', partitions: [{ partition: 0, offset: '2' }] }]
    expect(events.get('consumer.commit_offsets')).toEqual([{ ...member, topics }])
    expect(events.get('consumer.heartbeat')?.[0]).toEqual(member)
    expect(events.get('consumer.stop')).toEqual([null])
    expect(events.get('consumer.disconnect')).toEqual([null])
  })

  test('heartbeats are told as often as KafkaJS tells them, with and without partitions', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(1))
    const consumers = [1, 2].map(() => kafka.consumer({ groupId: 'g', maxWaitTimeInMs: 1 }))
    const beats = [0, 0]
    const fetches = [0, 0]
    for (const [index, consumer] of consumers.entries()) {
      consumer.on(consumer.events.HEARTBEAT, () => (beats[index] = (beats[index] ?? 0) + 1))
      consumer.on(consumer.events.FETCH, () => (fetches[index] = (fetches[index] ?? 0) + 1))
      await consumer.subscribe({ topics: ['t'] })
      await consumer.run({ eachMessage: async () => {} })
    }
    beats.fill(0)
    const now = Date.now.bind(Date)
    let ahead = 0
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + ahead)
    // Twice, since the second consumer's join may reach the first one late, and is a heartbeat that is not told.
    while (ahead < 6_000 && beats.includes(0)) {
      ahead += 3_000
      fetches.fill(0)
      await until(() => fetches.every((count) => count > 2), 'both have fetched')
    }
    expect(
      beats.every((count) => count > 0),
      `${beats}`,
    ).toBe(true)
    clock.mockRestore()
    for (const consumer of consumers) await consumer.disconnect()
  })

  test('heartbeats are not closer than their interval', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(20))
    const consumer = kafka.consumer({ groupId: 'g', heartbeatInterval: 20 })
    const beats: number[] = []
    let handled = 0
    consumer.on(consumer.events.HEARTBEAT, ({ timestamp }) => beats.push(timestamp))
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ heartbeat }) => {
        await Promise.all([heartbeat(), heartbeat(), pause(5)])
        handled += 1
      },
    })
    await until(() => handled === 20, 'all are handled')
    expect(beats.length).toBeGreaterThan(1)
    const gaps = beats.slice(1).map((beat, index) => beat - (beats[index] ?? 0))
    // The clock is read once to decide, and once more to tell.
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(18)
    await consumer.disconnect()
  })
})
