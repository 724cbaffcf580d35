import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { packed, unpacker } from '../../../ts/generated/page-core.ts'
import { unpack } from '../../../ts/native/unpack.ts'

/** The same numbers each time, as unlike each other as noise. */
function noise(length: number): Buffer {
  let state = 1
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return state >>> 24
    }),
  )
}

// By its address: the scripts have no types.
const scripts = new URL('../../../scripts/lib/pack.mjs', import.meta.url).href
const { pack }: { pack(bytes: Uint8Array): string } = await import(scripts)
const text = readFileSync(join(import.meta.dirname, 'unpack.test.ts'))

describe('what was packed is unpacked', () => {
  test.each<[string, Buffer]>([
    ['a byte', Buffer.of(255)],
    ['text', text],
    ['one byte, many times', Buffer.alloc(100_000, 7)],
    ['noise', noise(70_000)],
    ['what comes again after much else', Buffer.concat([text, noise(200_000), text, noise(3000), text])],
    [
      'words of four bytes',
      Buffer.concat(Array.from({ length: 5000 }, (_, index) => Buffer.of(index, 0, 1, 9))),
    ],
  ])('%s', async (_, bytes) => {
    const unpacked = await unpack(pack(bytes), unpacker)
    expect(Buffer.from(unpacked).equals(bytes)).toBe(true)
  })

  test.each([0.1, 0.3, 0.5, 0.7, 0.9])('a fault at %f of the stream ends, and is no wasm', async (place) => {
    const file = Buffer.from(packed, 'base64')
    const at = Math.floor(file.length * place)
    file[at] = (file[at] ?? 0) ^ 0x55
    const bytes = await unpack(file.toString('base64'), unpacker).catch(() => new Uint8Array())
    expect(WebAssembly.validate(bytes)).toBe(false)
  })

  test('half a stream is no wasm', async () => {
    const half = Buffer.from(packed, 'base64').subarray(0, packed.length / 4)
    const bytes = await unpack(half.toString('base64'), unpacker).catch(() => new Uint8Array())
    expect(WebAssembly.validate(bytes)).toBe(false)
  })

  test('the wasm', async () => {
    expect(WebAssembly.validate(await unpack(packed, unpacker))).toBe(true)
  })
})
