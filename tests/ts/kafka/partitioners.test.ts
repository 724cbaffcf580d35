import { describe, expect, test } from 'vitest'
import { LegacyPartitioner, type Message, Partitioners } from '../../../ts/index.ts'
import { legacyMurmur2 } from '../../../ts/kafka/legacy-murmur2.ts'
import { partitionMetadata } from '../../../ts/kafka/partitioners.ts'
import { memory } from '../support/kafka.ts'

/** What KafkaJS 1.x says of these keys. */
const LEGACY = {
  '': 275646684,
  0: 272173970,
  1: 1311020360,
  128: 2053105854,
  2187: -2081355488,
  16384: 204404061,
  78125: -677491393,
  279936: -622460209,
  4782969: -892695770,
  10000000: -1778616326,
  'väl€': 88827030,
}

describe('the partitioner of KafkaJS 1.x', () => {
  test.each(Object.entries(LEGACY))('hashes "%s" as it did', (key, hash) => {
    expect(legacyMurmur2(key)).toBe(hash)
    expect(legacyMurmur2(new TextEncoder().encode(key))).toBe(hash)
  })

  test('chooses by that hash', async () => {
    const place = LegacyPartitioner()
    const of = (message: Message) => place({ topic: 't', partitionMetadata: partitionMetadata(7), message })
    expect(of({ key: '2187', value: '' })).toBe((-2081355488 & 0x7fffffff) % 7)
    expect(of({ key: '2187', value: '', partition: 3 })).toBe(3)
    const turns = [1, 2, 3, 4, 5, 6, 7].map(() => of({ value: '' }))
    expect(new Set(turns).size).toBe(7)
  })

  test('is asked by a producer', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 5 }] })
    const producer = kafka.producer({ createPartitioner: Partitioners.LegacyPartitioner })
    await producer.connect()
    const [metadata] = await producer.send({ topic: 't', messages: [{ key: '78125', value: 'x' }] })
    expect(metadata?.partition).toBe((-677491393 & 0x7fffffff) % 5)
  })
})

test('the default partitioner has two names', () => {
  expect(Partitioners.JavaCompatiblePartitioner).toBe(Partitioners.DefaultPartitioner)
})
