import { describe, expect, test } from 'vitest'
import { Frames } from '../../../ts/native/frames.ts'

const decoder = new TextDecoder()

interface Read {
  partition: number
  timestamp: number
  key: string | null
  value: string | null
  headers: [string, string | null][]
}

/** Reads frames as the wasm does. */
function read(bytes: Uint8Array): Read[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const skip = (bytes: number) => {
    at += bytes
    return at - bytes
  }
  const int = () => view.getInt32(skip(4), true)
  const part = () => {
    const length = int()
    if (length < 0) return null
    const start = skip(length)
    return decoder.decode(bytes.subarray(start, at))
  }
  const records: Read[] = []
  while (at < bytes.length) {
    const partition = int()
    const timestamp = Number(view.getBigInt64(skip(8), true))
    const [key, value] = [part(), part()]
    const headers = Array.from({ length: int() }, (): [string, string | null] => [part() ?? '', part()])
    records.push({ partition, timestamp, key, value, headers })
  }
  return records
}

describe('frames', () => {
  test('a record is read as it was written', () => {
    const frames = new Frames()
    frames.add(3, 1_764_000_000_123, 'key', 'value', [
      ['first', 'one'],
      ['second', null],
      ['first', Uint8Array.of(0x74, 0x77, 0x6f)],
    ])
    frames.add(-1, -1, null, new Uint8Array(), [])
    expect(read(frames.take())).toEqual([
      {
        partition: 3,
        timestamp: 1_764_000_000_123,
        key: 'key',
        value: 'value',
        headers: [
          ['first', 'one'],
          ['second', null],
          ['first', 'two'],
        ],
      },
      { partition: -1, timestamp: -1, key: null, value: '', headers: [] },
    ])
    expect(frames.take()).toHaveLength(0)
  })

  test.each([0, 1, -1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 33) - 7, Number.MAX_SAFE_INTEGER])(
    'the timestamp %d',
    (timestamp) => {
      const frames = new Frames()
      frames.add(0, timestamp, null, '', [])
      expect(read(frames.take())[0]?.timestamp).toBe(timestamp)
    },
  )

  test('text of every width grows the buffer', () => {
    const frames = new Frames()
    const texts = ['a', 'é', '€', '𝄞', ''].map((text) => text.repeat(20_000))
    for (const text of texts) frames.add(0, 0, text, text, [[text, text]])
    expect(read(frames.take()).map(({ key }) => key)).toEqual(texts)
    frames.add(0, 0, '\ud800', '', [])
    expect(read(frames.take())[0]?.key).toBe('\ufffd')
  })

  test('what was framed beyond a point is forgotten', () => {
    const frames = new Frames()
    frames.add(0, 0, null, 'kept', [])
    const { length } = frames
    frames.add(0, 0, null, 'forgotten', [])
    frames.truncate(length)
    frames.add(0, 0, null, 'next', [])
    expect(read(frames.take()).map(({ value }) => value)).toEqual(['kept', 'next'])
  })

  test('a huge buffer is not kept', () => {
    const frames = new Frames()
    frames.add(0, 0, null, new Uint8Array(5 << 20), [])
    const first = frames.take()
    frames.add(0, 0, null, 'small', [])
    const second = frames.take()
    expect(first.length).toBeGreaterThan(5 << 20)
    expect(second.buffer.byteLength).toBeLessThan(1 << 20)
  })
})
