import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { memoryStore, openDiskStore, type Row, type Store } from '../../../ts/collector/index.ts'

const folders: string[] = []
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'headwater-store-'))
  folders.push(path)
  return path
}
afterEach(async () => {
  await Promise.all(folders.splice(0).map((path) => rm(path, { recursive: true, force: true })))
})

const key = (...bytes: number[]) => Uint8Array.from(bytes)
const put = (...bytes: number[]) => ({ key: key(...bytes), value: key(...bytes) })
const range = (from: number[], to: number[], limit = 100, reverse = false) => ({
  from: key(...from),
  to: key(...to),
  limit,
  reverse,
})
const keys = (found: Row[][]) => found.map((rows) => rows.map(([at]) => [...at]))

const STORES: [string, () => Promise<Store>][] = [
  ['memory', async () => memoryStore()],
  ['disk', async () => openDiskStore(await folder())],
]

describe.each(STORES)('the store on %s', (_name, open) => {
  test('finds rows by key, by range, from the end, up to a limit', async () => {
    const store = await open()
    await store.write([put(1), put(1, 0), put(1, 255), put(2), put(0)], true)
    const scans = [
      { key: key(1, 0) },
      { key: key(9) },
      range([1], [2]),
      range([0], [9], 2),
      range([0], [9], 2, true),
      range([0], [9], 2 ** 32 - 1),
      range([2], [1]),
      range([1], [1]),
    ]
    expect(keys(await store.read(scans))).toEqual([
      [[1, 0]],
      [],
      [[1], [1, 0], [1, 255]],
      [[0], [1]],
      [[2], [1, 255]],
      [[0], [1], [1, 0], [1, 255], [2]],
      [],
      [],
    ])
    await store.close()
  })

  test('carries out changes in order', async () => {
    const store = await open()
    await store.write([put(1), put(2), put(3)], false)
    const changes = [
      { key: key(1), value: key(7) },
      { key: key(4) },
      put(5),
      { from: key(2), to: key(6) },
      put(3),
      put(6),
      { key: key(6) },
      { from: key(9), to: key(1) },
    ]
    await store.write(changes, true)
    const [rows] = await store.read([range([0], [255])])
    expect(rows?.map(([at, value]) => [[...at], [...value]])).toEqual([
      [[1], [7]],
      [[3], [3]],
    ])
    await store.close()
  })

  test('keeps empty values and megabytes', async () => {
    const store = await open()
    const large = new Uint8Array(1 << 20).map((_, index) => (index * 2_654_435_761) >>> 24)
    await store.write(
      [
        { key: key(1), value: new Uint8Array() },
        { key: key(2), value: large },
      ],
      true,
    )
    const [[empty], [whole]] = (await store.read([{ key: key(1) }, { key: key(2) }])) as [Row[], Row[]]
    expect(empty?.[1].length).toBe(0)
    expect(Buffer.compare(whole?.[1] ?? key(), large)).toBe(0)
    await store.close()
  })

  test('reads as of one moment while it is written to', async () => {
    const store = await open()
    const both = (round: number) => [
      { key: key(1), value: key(round) },
      { key: key(2), value: key(round) },
    ]
    await store.write(both(0), false)
    const writing = (async () => {
      for (let round = 1; round < 50; round++) await store.write(both(round), false)
    })()
    for (let round = 0; round < 50; round++) {
      const [one, other] = await store.read([{ key: key(1) }, range([2], [3])])
      expect(one?.[0]?.[1]).toEqual(other?.[0]?.[1])
    }
    await writing
    await store.close()
  })
})

describe('the store on disk', () => {
  test('has its rows when it is opened again', async () => {
    const path = join(await folder(), 'deep', 'in')
    const store = await openDiskStore(path)
    await store.write([put(1)], true)
    await store.close()
    const again = await openDiskStore(path)
    expect(keys(await again.read([{ key: key(1) }]))).toEqual([[[1]]])
    await again.close()
  })

  test('belongs to one collector', async () => {
    const path = await folder()
    const store = await openDiskStore(path)
    await expect(openDiskStore(path)).rejects.toThrow(/another process has it open/)
    await store.close()
  })

  test('says why it cannot be opened', async () => {
    await expect(openDiskStore('/dev/null/log')).rejects.toThrow(
      /the log in \/dev\/null\/log cannot be opened: /,
    )
  })
})
