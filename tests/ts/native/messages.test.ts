import { afterEach, describe, expect, test, vi } from 'vitest'
import { messageAt, offsetAt } from '../../../ts/native/messages.ts'

const encoder = new TextEncoder()

function varint(value: number): number[] {
  let raw = value < 0 ? -2 * value - 1 : 2 * value
  const bytes: number[] = []
  for (; raw >= 0x80; raw >>>= 7) bytes.push((raw & 0x7f) | 0x80)
  return [...bytes, raw]
}

function headersOf(headers: [string, string | null][]): number[] {
  return headers.flatMap(([key, value]) => {
    const name = encoder.encode(key)
    const content = value === null ? varint(-1) : [...varint(value.length), ...encoder.encode(value)]
    return [...varint(name.length), ...name, ...content]
  })
}

/** One record as the wasm hands it out; it does not begin at the beginning of its buffer. */
function found(key: string | null, value: string | null, headers: [string, string | null][] = []) {
  const parts = [encoder.encode(key ?? ''), encoder.encode(value ?? ''), Uint8Array.from(headersOf(headers))]
  const [first, second, third] = parts.map(({ length }) => length)
  const buffer = Uint8Array.from([0xff, 0xff, ...parts.flatMap((part) => [...part])])
  const length = (part: string | null, size = 0) => (part === null ? -1 : size)
  const index = Float64Array.of(
    7,
    1_764_000_000_123,
    0,
    length(key, first),
    first ?? 0,
    length(value, second),
    (first ?? 0) + (second ?? 0),
    headers.length,
  )
  expect(third).toBeGreaterThanOrEqual(0)
  return { bytes: buffer.subarray(2), index, baseOffset: 2n ** 60n }
}

afterEach(() => vi.unstubAllGlobals())

describe('messages', () => {
  test('a record has the shape that KafkaJS gives it', () => {
    const message = messageAt(found('key', 'välue', [['h', 'x']]), 0)
    expect({ ...message }).toEqual({
      key: Buffer.from('key'),
      value: Buffer.from('välue'),
      timestamp: '1764000000123',
      attributes: 0,
      offset: '1152921504606846983',
      headers: { h: Buffer.from('x') },
      magicByte: 2,
    })
    expect(message.value?.toString()).toBe('välue')
  })

  test('null is not empty', () => {
    expect(messageAt(found(null, ''), 0)).toMatchObject({ key: null, value: Buffer.from('') })
    expect(messageAt(found('', null), 0)).toMatchObject({ key: Buffer.from(''), value: null })
  })

  test('headers repeat, lack a value, and have any name', () => {
    const headers: [string, string | null][] = [
      ['twice', 'one'],
      ['none', null],
      ['__proto__', 'safe'],
      ['twice', 'two'],
      ['lång', 'x'.repeat(300)],
    ]
    const read = messageAt(found(null, null, headers), 0).headers
    expect(Object.keys(read)).toEqual(['twice', 'none', '__proto__', 'lång'])
    expect(read['twice']).toEqual([Buffer.from('one'), Buffer.from('two')])
    expect(read['none']).toBeUndefined()
    expect(Object.getOwnPropertyDescriptor(read, '__proto__')?.value).toEqual(Buffer.from('safe'))
    expect(read['lång']).toHaveLength(300)
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
  })

  test('offsets stay exact beyond 2 to the 53rd', () => {
    expect(offsetAt(found(null, null), 0)).toBe(2n ** 60n + 7n)
  })

  test('outside of Node, bytes read as text all the same', () => {
    vi.stubGlobal('Buffer', undefined)
    const { key, value } = messageAt(found('key', 'välue'), 0)
    expect(key).toBeInstanceOf(Uint8Array)
    expect(value?.toString()).toBe('välue')
    expect(`${key}`).toBe('key')
    expect(value?.subarray(0, 1).toString()).toBe('v')
    expect(() => value?.toString('hex')).toThrow('Unknown encoding: hex')
  })
})
