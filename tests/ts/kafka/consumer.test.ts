import { describe, expect, test, vi } from 'vitest'
import {
  type Consumer,
  type ConsumerRunConfig,
  type EachMessagePayload,
  type InstrumentationEvent,
  type Kafka,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
} from '../../../ts/index.ts'
import { logged, memory, numbers, pause, send, textOf, until } from '../support/kafka.ts'

/** A consumer that collects what it reads. */
async function reading(
  kafka: Kafka,
  topic: string,
  {
    groupId = 'g',
    fromBeginning = true,
    ...config
  }: ConsumerRunConfig & { groupId?: string; fromBeginning?: boolean } = {},
): Promise<{ consumer: Consumer; values: string[]; seen: (count: number) => Promise<void> }> {
  const consumer = kafka.consumer({ groupId })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning })
  const values: string[] = []
  const eachMessage = config.eachMessage ?? (async (payload) => void values.push(textOf(payload)))
  await consumer.run({ ...config, eachMessage })
  const seen = (count: number) => until(() => values.length >= count, `${count} messages are seen`)
  return { consumer, values, seen }
}

async function committed(kafka: Kafka, topic: string, groupId = 'g'): Promise<string[]> {
  const [found] = await kafka.admin().fetchOffsets({ groupId, topics: [topic] })
  return found?.partitions.map(({ offset }) => offset) ?? []
}

describe('reading', () => {
  test('begins at the end, or at the beginning, and goes on as records arrive', async () => {
    const kafka = memory()
    await send(kafka, 't', ['before'])
    const early = await reading(kafka, 't', { groupId: 'early' })
    const late = await reading(kafka, 't', { groupId: 'late', fromBeginning: false })
    await send(kafka, 't', ['after'])
    await Promise.all([early.seen(2), late.seen(1)])
    expect(early.values).toEqual(['before', 'after'])
    expect(late.values).toEqual(['after'])
    await Promise.all([early.consumer.disconnect(), late.consumer.disconnect()])
  })

  test('goes on after the last committed offset', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(10))
    const first = await reading(kafka, 't')
    await first.seen(10)
    await first.consumer.disconnect()
    expect(await committed(kafka, 't')).toEqual(['10'])
    await send(kafka, 't', numbers(5, 10))
    const second = await reading(kafka, 't')
    await second.seen(5)
    expect(second.values).toEqual(numbers(5, 10))
    await second.consumer.disconnect()
  })

  test('stops and runs again', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    const { consumer, seen } = await reading(kafka, 't')
    await seen(1)
    await consumer.stop()
    await send(kafka, 't', ['b'])
    const again: string[] = []
    await consumer.subscribe({ topics: ['other'] })
    await consumer.run({ eachMessage: async (payload) => void again.push(textOf(payload)) })
    await until(() => again.length === 1, 'the second run reads on')
    expect(again).toEqual(['b'])
    await consumer.disconnect()
  })

  test('topics by pattern', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: ['Order-a', 'order-b', 'else'].map((topic) => ({ topic })) })
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: [/^order-/gi], fromBeginning: true })
    const topics: string[] = []
    await consumer.run({ eachMessage: async ({ topic }) => void topics.push(topic) })
    for (const topic of ['Order-a', 'order-b', 'else']) await send(kafka, topic, ['x'])
    await until(() => topics.length === 2, 'both topics are read')
    expect(topics.toSorted()).toEqual(['Order-a', 'order-b'])
    await consumer.disconnect()
  })

  test('many partitions, each in order', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 4 }] })
    const seen: string[][] = [[], [], [], []]
    const eachMessage = async (payload: EachMessagePayload) =>
      void seen[payload.partition]?.push(textOf(payload))
    const { consumer } = await reading(kafka, 't', { eachMessage })
    for (let partition = 0; partition < 4; partition++) await send(kafka, 't', numbers(50), partition)
    await until(() => seen.flat().length === 200, 'all are read')
    expect(seen).toEqual(Array.from({ length: 4 }, () => numbers(50)))
    await consumer.disconnect()
  })

  test('without a handler reads nothing, and commits nothing', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run()
    await pause(50)
    await consumer.disconnect()
    expect(await committed(kafka, 't')).toEqual(['-1'])
  })
})

describe('a group has one member at a time', () => {
  test('a second run waits until the first has left', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    const first = await reading(kafka, 't')
    await first.seen(1)
    let joined = false
    const second = kafka.consumer({ groupId: 'g' })
    const values: string[] = []
    await second.subscribe({ topics: ['t'], fromBeginning: true })
    const run = second.run({ eachMessage: async (payload) => void values.push(textOf(payload)) })
    void run.then(() => {
      joined = true
    })
    await pause(50)
    expect(joined).toBe(false)
    await send(kafka, 't', ['b'])
    await first.seen(2)
    await first.consumer.disconnect()
    await run
    await send(kafka, 't', ['c'])
    await until(() => values.length === 1, 'the second reads')
    expect(values).toEqual(['c'])
    await second.disconnect()
  })

  test('one that waits can be stopped', async () => {
    const kafka = memory()
    const first = await reading(kafka, 't')
    const second = kafka.consumer({ groupId: 'g' })
    await second.subscribe({ topics: ['t'] })
    const run = second.run({ eachMessage: async () => undefined })
    await pause(20)
    await second.disconnect()
    await run
    await first.consumer.disconnect()
  })
})

describe('commits', () => {
  test('by hand, with metadata', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const { consumer, seen } = await reading(kafka, 't', { autoCommit: false })
    await seen(3)
    expect(await committed(kafka, 't')).toEqual(['-1'])
    await consumer.commitOffsets([{ topic: 't', partition: 0, offset: '2', metadata: 'so far' }])
    const [found] = await kafka.admin().fetchOffsets({ groupId: 'g', topics: ['t'] })
    expect(found?.partitions).toEqual([{ partition: 0, offset: '2', metadata: 'so far' }])
    await consumer.disconnect()
    expect(await committed(kafka, 't')).toEqual(['2'])
  })

  test('inside of a handler', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    let handled = 0
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(message.offset) + 1n) }])
        handled += 1
      },
    })
    await until(() => handled === 3, 'all are handled')
    expect(await committed(kafka, 't')).toEqual(['3'])
    await consumer.disconnect()
  })

  test('after so many messages', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(10))
    const commits: string[] = []
    const consumer = kafka.consumer({ groupId: 'g' })
    consumer.on<{ topics: { partitions: { offset: string }[] }[] }>(
      consumer.events.COMMIT_OFFSETS,
      ({ payload }) => {
        commits.push(payload.topics[0]?.partitions[0]?.offset ?? '')
      },
    )
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({ autoCommitThreshold: 4, eachMessage: async () => undefined })
    await until(() => commits.at(-1) === '10', 'all is committed')
    expect(commits).toEqual(['4', '8', '10'])
    await consumer.disconnect()
  })
})

describe('seek', () => {
  test('reads again, and the last one wins', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(5))
    const { consumer, values, seen } = await reading(kafka, 't')
    await seen(5)
    consumer.seek({ topic: 't', partition: 0, offset: '1' })
    consumer.seek({ topic: 't', partition: 0, offset: '3' })
    await seen(7)
    await pause(20)
    expect(values.slice(5)).toEqual(['3', '4'])
    await consumer.disconnect()
  })

  test('while it waits for records loses none', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(2))
    const { consumer, values, seen } = await reading(kafka, 't')
    await seen(2)
    for (let round = 1; round <= 20; round++) {
      consumer.seek({ topic: 't', partition: 0, offset: '0' })
      await seen(2 + 2 * round)
    }
    expect(values).toEqual(Array.from({ length: 21 }, () => ['0', '1']).flat())
    await consumer.disconnect()
  })

  test('right after run, without waiting for it', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(5))
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const values: string[] = []
    const run = consumer.run({ eachMessage: async (payload) => void values.push(textOf(payload)) })
    consumer.seek({ topic: 't', partition: 0, offset: '4' })
    await run
    await until(() => values.length > 0, 'something is read')
    expect(values).toEqual(['4'])
    await consumer.disconnect()
  })

  test('inside of a handler makes the rest of the batch stale', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(10))
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const values: string[] = []
    await consumer.run({
      eachMessage: async (payload) => {
        values.push(textOf(payload))
        if (values.length === 2) consumer.seek({ topic: 't', partition: 0, offset: '8' })
      },
    })
    await until(() => values.length === 4, 'it reads on')
    expect(values).toEqual(['0', '1', '8', '9'])
    await consumer.stop()
    expect(await committed(kafka, 't')).toEqual(['10'])
    await consumer.disconnect()
  })

  test('to the ends, and beyond them', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const { consumer, values, seen } = await reading(kafka, 't')
    await seen(3)
    consumer.seek({ topic: 't', partition: 0, offset: '-2' })
    await seen(6)
    consumer.seek({ topic: 't', partition: 0, offset: '-1' })
    await send(kafka, 't', ['3'])
    await seen(7)
    consumer.seek({ topic: 't', partition: 0, offset: '1000' })
    await seen(11)
    expect(values).toEqual([...numbers(3), ...numbers(3), '3', ...numbers(4)])
    await consumer.disconnect()
  })

  test('is committed with autoCommit, and only then', async () => {
    for (const autoCommit of [true, false]) {
      const kafka = memory()
      await send(kafka, 't', numbers(3))
      const { consumer, seen } = await reading(kafka, 't', { autoCommit })
      await seen(3)
      consumer.pause([{ topic: 't' }])
      consumer.seek({ topic: 't', partition: 0, offset: '1' })
      await consumer.disconnect()
      expect(await committed(kafka, 't')).toEqual([autoCommit ? '1' : '-1'])
    }
  })
})

describe('pause and resume', () => {
  test('a paused partition is not read, and nothing of it is lost', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 2 }] })
    const { consumer, values, seen } = await reading(kafka, 't')
    expect(consumer.paused()).toEqual([])
    consumer.pause([{ topic: 't', partitions: [1] }])
    expect(consumer.paused()).toEqual([{ topic: 't', partitions: [1] }])
    await send(kafka, 't', ['a'], 0)
    await send(kafka, 't', ['b'], 1)
    await seen(1)
    await pause(30)
    expect(values).toEqual(['a'])
    consumer.resume([{ topic: 't', partitions: [1] }])
    await seen(2)
    expect(values).toEqual(['a', 'b'])
    consumer.pause([{ topic: 't' }])
    expect(consumer.paused()).toEqual([{ topic: 't', partitions: [0, 1] }])
    consumer.resume([{ topic: 't' }])
    expect(consumer.paused()).toEqual([])
    await consumer.disconnect()
  })

  test('right after run, without waiting for it', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    const values: string[] = []
    const run = consumer.run({ eachMessage: async (payload) => void values.push(textOf(payload)) })
    consumer.pause([{ topic: 't' }])
    await run
    await pause(30)
    expect(values).toEqual([])
    consumer.resume([{ topic: 't' }])
    await until(() => values.length === 1, 'it is read')
    await consumer.disconnect()
  })

  test('inside of a handler stops after the message, which the handler may refuse', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(4))
    const values: string[] = []
    let resume: () => void = () => undefined
    const consumer = kafka.consumer({ groupId: 'g' })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      eachMessage: async (payload) => {
        values.push(textOf(payload))
        if (values.length === 2) resume = payload.pause()
        if (values.length === 4) {
          resume = payload.pause()
          throw new Error('too busy')
        }
      },
    })
    await until(() => values.length === 2, 'two are read')
    await pause(30)
    expect(values).toEqual(['0', '1'])
    resume()
    await until(() => values.length === 4, 'it goes on')
    await pause(50)
    expect(values).toEqual(['0', '1', '2', '3'])
    resume()
    await until(() => values.length === 5, 'what was refused is read again')
    expect(values.at(-1)).toBe('3')
    await consumer.disconnect()
  })
})

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
  ])('%s is not tried again', async (_, error) => {
    const kafka = memory({ retry: { initialRetryTime: 1, retries: 9, restartOnFailure: async () => false } })
    await send(kafka, 't', ['x'])
    let calls = 0
    const consumer = kafka.consumer({ groupId: 'g' })
    const crashed = new Promise((resolve) => consumer.on(consumer.events.CRASH, resolve))
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      eachMessage: async () => {
        calls += 1
        throw error
      },
    })
    await crashed
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

  test('is one, however often it is called, and tells so once', async () => {
    const { consumer } = await reading(memory(), 't')
    const types: string[] = []
    const { STOP, DISCONNECT } = consumer.events
    for (const name of [STOP, DISCONNECT]) consumer.on(name, ({ type }) => types.push(type))
    await Promise.all([consumer.stop(), consumer.stop(), consumer.disconnect()])
    expect(types).toEqual(['consumer.stop', 'consumer.disconnect'])
  })
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
        groupProtocol: 'RoundRobinAssigner',
        memberAssignment: { t: [0] },
        duration,
      },
    ])
    expect(events.get('consumer.fetch')?.[0]).toEqual({ nodeId: 0, numberOfBatches: 1, duration })
    expect(events.get('consumer.start_batch_process')).toEqual([batch])
    expect(events.get('consumer.end_batch_process')).toEqual([{ ...batch, duration }])
    const member = { groupId: 'g', memberId, groupGenerationId: 1 }
    const topics = [{ topic: 't', partitions: [{ partition: 0, offset: '2' }] }]
    expect(events.get('consumer.commit_offsets')).toEqual([{ ...member, topics }])
    expect(events.get('consumer.heartbeat')?.[0]).toEqual(member)
    expect(events.get('consumer.stop')).toEqual([null])
    expect(events.get('consumer.disconnect')).toEqual([null])
  })

  test('heartbeats are not closer than their interval', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(20))
    const consumer = kafka.consumer({ groupId: 'g', heartbeatInterval: 10_000 })
    let beats = 0
    let handled = 0
    consumer.on(consumer.events.HEARTBEAT, () => {
      beats += 1
    })
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({ eachMessage: async ({ heartbeat }) => heartbeat().then(() => void (handled += 1)) })
    await until(() => handled === 20, 'all are handled')
    expect(beats).toBe(1)
    await consumer.disconnect()
  })
})

describe('validation', () => {
  const consumer = () => memory().consumer({ groupId: 'g' })

  test('of the configuration', () => {
    const kafka = memory()
    for (const groupId of ['', undefined, 7]) {
      const make = () => kafka.consumer({ groupId: groupId as string })
      expect(make).toThrow(new KafkaJSNonRetriableError('Consumer groupId must be a non-empty string.'))
    }
    expect(() => kafka.consumer({ groupId: 'g', heartbeatInterval: 10, sessionTimeout: 10 })).toThrow(
      'Consumer heartbeatInterval (10) must be lower than sessionTimeout (10). It is recommended to set heartbeatInterval to approximately a third of the sessionTimeout.',
    )
  })

  test.each<[string, unknown]>([
    ['Missing required argument "topics"', {}],
    ['Argument "topics" must be an array', { topics: 'x' }],
    ['Invalid topic 1 (number), the topic name has to be a String or a RegExp', { topics: [1] }],
  ])('subscribe: %s', async (message, subscription) => {
    const refused = consumer().subscribe(subscription as never)
    await expect(refused).rejects.toThrow(new KafkaJSNonRetriableError(message))
  })

  const place = { topic: 't', partition: 0 }
  test.each<[string, unknown]>([
    ['Invalid topic null', { topic: null }],
    ['Invalid partition, expected a number received ABC', { topic: 't', partition: 'ABC' }],
    ['Invalid offset, expected a long received ABC', { ...place, offset: 'ABC' }],
    ['Invalid offset, expected a long received undefined', place],
    ['Offset must not be a negative number', { ...place, offset: '-5' }],
    ['Consumer group was not initialized, consumer#run must be called first', { ...place, offset: '1' }],
  ])('commitOffsets and seek: %s', async (message, target) => {
    const error = new KafkaJSNonRetriableError(message)
    await expect(consumer().commitOffsets([target as never])).rejects.toThrow(error)
    expect(() => consumer().seek(target as never)).toThrow(error)
  })

  test('a commit takes no special offset, and its metadata is text', async () => {
    const refused = consumer().commitOffsets([{ ...place, offset: '-1' }])
    await expect(refused).rejects.toThrow('Offset must not be a negative number')
    const odd = consumer().commitOffsets([{ ...place, offset: '1', metadata: 7 as never }])
    await expect(odd).rejects.toThrow('Invalid offset metadata, expected string or null, received 7')
  })

  test.each<[string, unknown]>([
    ['Invalid topic null', null],
    ['Invalid topic [object Object]', { topic: undefined }],
    [
      'Array of valid partitions required to VERB specific partitions instead of 0',
      { topic: 't', partitions: 0 },
    ],
    [
      'Array of valid partitions required to VERB specific partitions instead of a',
      { topic: 't', partitions: ['a'] },
    ],
    ['Consumer group was not initialized, consumer#run must be called first', { topic: 't' }],
  ])('pause and resume: %s', (message, entry) => {
    for (const verb of ['pause', 'resume'] as const) {
      expect(() => consumer()[verb]([entry as never])).toThrow(message.replace('VERB', verb))
    }
  })

  test('while it runs', async () => {
    const { entries, logCreator } = logged()
    const { consumer: running } = await reading(memory({ logLevel: 2, logCreator }), 't')
    await expect(running.subscribe({ topics: ['u'] })).rejects.toThrow(
      'Cannot subscribe to topic while consumer is running',
    )
    await running.run({ eachMessage: async () => undefined })
    expect(entries[0]?.log.message).toBe('consumer#run was called, but the consumer is already running')
    await running.disconnect()
  })

  test('eachBatch is not there yet', async () => {
    await expect(consumer().run({ eachBatch: async () => undefined })).rejects.toThrow(KafkaJSNotImplemented)
  })
})
