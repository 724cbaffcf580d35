import { describe, expect, test } from 'vitest'
import { type ConsumerConfig, KafkaJSNonRetriableError } from '../../../ts/index.ts'
import { logged, memory, pause, send, until } from '../support/kafka.ts'
import { reading } from '../support/reading.ts'

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

  test.each([
    ['sessionTimeout', Number.NaN],
    ['heartbeatInterval', '3s'],
    ['rebalanceTimeout', null],
    ['maxBytesPerPartition', -1],
    ['maxWaitTimeInMs', {}],
    ['stallTimeout', Number.NaN],
    ['lagInterval', true],
  ])('%s is a number, or the consumer would never come to rest: %s', (name, value) => {
    const make = () => memory().consumer({ groupId: 'g', [name]: value } as ConsumerConfig)
    expect(make).toThrow(KafkaJSNonRetriableError)
    expect(make).toThrow(`Invalid ${name}, expected a number from 0 on, received ${value}`)
  })

  test('a time without an end is not over at once', async () => {
    const kafka = memory()
    await send(kafka, 't', ['a'])
    const times = {
      rebalanceTimeout: Infinity,
      lagInterval: Infinity,
      stallTimeout: 1e12,
      maxWaitTimeInMs: 1e12,
    }
    const reader = kafka.consumer({ groupId: 'g', ...times })
    await reader.connect()
    await reader.subscribe({ topics: ['t'], fromBeginning: true })
    const heard: string[] = []
    const { CRASH, FETCH, LAG, STALLED } = reader.events
    for (const name of [CRASH, FETCH, LAG, STALLED] as const) {
      reader.on(name, ({ type }) => void heard.push(type))
    }
    let handled = 0
    await reader.run({ eachMessage: async () => void handled++ })
    await until(() => handled === 1, 'it is handled')
    await pause(50)
    await reader.disconnect()
    expect(new Set(heard)).toEqual(new Set([FETCH]))
    expect(heard.length).toBeLessThan(5)
  })

  test.each([0, -1, null, Number.NaN])('%s partitions at a time would be none', async (given) => {
    const config = { partitionsConsumedConcurrently: given as number, eachMessage: async () => {} }
    const message = `Invalid partitionsConsumedConcurrently, expected a number from 1 on, received ${given}`
    await expect(consumer().run(config)).rejects.toThrow(new KafkaJSNonRetriableError(message))
    expect(() => consumer().stream(config)).toThrow(new KafkaJSNonRetriableError(message))
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
})
