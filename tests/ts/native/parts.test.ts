import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { packed as packedCore, unpacker } from '../../../ts/generated/page-core.ts'
import { packed as packedLate } from '../../../ts/generated/page-late.ts'
import { unpack } from '../../../ts/native/unpack.ts'

interface Segment {
  address: number
  bytes: Uint8Array
}

// By its address: the scripts have no types.
const scripts = new URL('../../../scripts/lib/sections.mjs', import.meta.url).href
const {
  readData,
  renamed,
}: { readData(wasm: Buffer): Segment[]; renamed(wasm: Buffer, names: object): Buffer<ArrayBuffer> } =
  await import(scripts)
const [core, late] = (await Promise.all([packedCore, packedLate].map((each) => unpack(each, unpacker)))).map(
  (bytes) => Buffer.from(bytes),
) as [Buffer<ArrayBuffer>, Buffer<ArrayBuffer>]
const [ofCore, ofLate] = [new WebAssembly.Module(core), new WebAssembly.Module(late)]
const names = (list: { name: string }[]) => list.map(({ name }) => name)

describe('the two parts of the wasm', () => {
  test('give no byte of memory twice', () => {
    const ranges = [...readData(core), ...readData(late)]
      .map(({ address, bytes }) => ({ from: address, to: address + bytes.length }))
      .toSorted((left, right) => left.from - right.from)
    expect(ranges.length).toBeGreaterThan(2)
    const twice = ranges.filter(({ from }, index) => from < (ranges[index - 1]?.to ?? 0))
    expect(twice).toEqual([])
  })

  test('export nothing twice, and take what there is: from each other, and from the glue', () => {
    const exported = names(WebAssembly.Module.exports(ofCore))
    expect(names(WebAssembly.Module.exports(ofLate)).filter((name) => exported.includes(name))).toEqual([])
    const wanted = WebAssembly.Module.imports(ofLate).filter(({ module }) => module === 'core')
    const missing = wanted.filter(({ name }) => !/^\d+$/.test(name) && !exported.includes(name))
    expect(missing).toEqual([])

    const glue = readFileSync(new URL('../../../ts/generated/page-glue.js', import.meta.url), 'utf8')
    const foreign = [ofCore, ofLate].flatMap((part) => WebAssembly.Module.imports(part))
    const unknown = foreign.filter(
      ({ module, name }) => module === 'g' && !glue.includes(`${name}: function(`),
    )
    expect(unknown).toEqual([])
  })

  test('are renamed without any other change', () => {
    const again = renamed(core, { imports: new Map(), exports: new Map() })
    expect(again.equals(core)).toBe(true)
    const other = new WebAssembly.Module(
      renamed(core, { imports: new Map([['g', 'glue']]), exports: new Map([['memory', 'm'.repeat(200)]]) }),
    )
    expect(names(WebAssembly.Module.exports(other))).toContain('m'.repeat(200))
    expect(new Set(WebAssembly.Module.imports(other).map(({ module }) => module))).toEqual(new Set(['glue']))
  })
})
