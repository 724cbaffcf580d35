import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { murmur2, partitionForKey } from '../../../ts/native/murmur2.ts'

interface Case {
  key_hex: string
  hash_signed: number
  partition: Record<string, number>
}

const other = process.env['HEADWATER_CONFORMANCE']
const folder = other ?? join(import.meta.dirname, '..', '..', 'fixtures', 'conformance')
const { cases } = JSON.parse(readFileSync(join(folder, 'murmur2.json'), 'utf8')) as { cases: Case[] }

describe('murmur2 conformance', () => {
  test.skipIf(other !== undefined)('no case is missing', () => expect(cases).toHaveLength(45))

  test('every key has the hash and the partitions that Kafka gives it', () => {
    for (const { key_hex, hash_signed, partition } of cases) {
      const key = Uint8Array.from(Buffer.from(key_hex, 'hex'))
      expect(murmur2(key), key_hex).toBe(hash_signed)
      for (const [count, expected] of Object.entries(partition)) {
        expect(partitionForKey(key, Number(count)), `${key_hex} of ${count}`).toBe(expected)
      }
    }
  })

  test('text is its UTF-8', () => {
    expect(murmur2('väl€')).toBe(murmur2(new TextEncoder().encode('väl€')))
    expect(murmur2('a-little-bit-long-string')).toBe(-985981536)
  })
})
