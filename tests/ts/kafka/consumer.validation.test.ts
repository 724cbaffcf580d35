import { describe, expect, test } from 'vitest'
import { KafkaJSNonRetriableError } from '../../../ts/index.ts'
import { logged, memory } from '../support/kafka.ts'
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
