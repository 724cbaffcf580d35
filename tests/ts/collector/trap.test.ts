import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Collector, createCollector, openDiskStore, type Store } from '../../../ts/collector/index.ts'
import { deliver, post, results, values } from './client.ts'
import { type Listed, P, request, wire } from './wire.ts'

type Moment = 'reading' | 'writing'

let folder: string
let inner: Store
let collector: Collector
/** The memories of the instances that the collector has made, the last one last. */
let memories: WebAssembly.Memory[]
let reported: string[]
/** The next such use of the store leaves the instance with a memory that makes no sense. */
let moment: Moment | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-trap-'))
  memories = []
  reported = []
  moment = undefined
  const { instantiate } = WebAssembly
  vi.spyOn(WebAssembly, 'instantiate').mockImplementation((async (module: WebAssembly.Module, imports) => {
    const instance = await instantiate(module, imports)
    // Other modules than the collector's are of no interest.
    if (imports !== undefined && 'g' in imports)
      memories.push(instance.exports['memory'] as WebAssembly.Memory)
    return instance
  }) as typeof WebAssembly.instantiate)
  inner = await openDiskStore(folder)
  const store: Store = {
    read: async (scans) => {
      const rows = await inner.read(scans)
      spoil('reading')
      return rows
    },
    write: async (changes, durable) => {
      await inner.write(changes, durable)
      spoil('writing')
    },
    close: () => inner.close(),
  }
  collector = createCollector({ store, onError: (error) => reported.push(String(error)) })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await collector.close()
  await rm(folder, { recursive: true, force: true })
})

/** As a defect may leave it: every pointer leads beyond the end. */
function spoil(now: Moment): void {
  if (moment !== now) return
  moment = undefined
  const memory = memories.at(-1)
  if (memory !== undefined) new Uint8Array(memory.buffer).fill(0xff)
}

test.each<[Moment, string]>([
  ['reading', 'accepted'],
  ['writing', 'duplicate'],
])(
  'the wasm traps in a request, after %s: it is answered as retriable, and tried again it is %s',
  async (when, again) => {
    // What was read of a producer is kept: each of these is looked up.
    const registered = await deliver(collector, [
      { batch: wire({ records: ['first'] }) },
      { batch: wire({ producerId: P + 1n, records: ['other'] }), topic: 'others' },
    ])
    expect(results(registered)).toEqual(['accepted', 'accepted'])
    const { signed } = registered
    const fresh: Listed = { batch: wire({ producerId: P + 2n, records: ['second'] }) }
    const { answer: introduced } = await post(collector, request([fresh]))
    const { signature, signedAt } = introduced.answers?.[0] ?? {}
    const body = request([{ ...fresh, ...(signature === undefined ? {} : { signature, signedAt }) }])
    moment = when
    const { status, headers, answer } = await post(collector, body)
    expect(moment, 'it came to that').toBeUndefined()
    expect([status, headers.get('retry-after')]).toEqual([503, '1'])
    expect(answer.error).toMatchObject({ kind: 'Unavailable', code: 'STORAGE_FAILED', retriable: true })
    expect(reported.join(), 'and it is told').toMatch(/RuntimeError|trapped/)
    expect(memories).toHaveLength(1)
    expect(results(await post(collector, body))).toEqual([again])
    expect(memories).toHaveLength(2)
    expect(await values(collector)).toEqual(['first', 'second'])
    expect(results(await post(collector, request(signed))), 'known as before').toEqual([
      'duplicate',
      'duplicate',
    ])
  },
)

test('every request that the instance was asked fails with it, and none of them is lost or doubled', async () => {
  const ids = [0n, 1n, 2n, 3n]
  const registered = await Promise.all(
    ids.map((id) => deliver(collector, [{ batch: wire({ producerId: P + id, records: [`${id}-0`] }) }])),
  )
  const bodies = registered.map(({ signed }, index) =>
    request([
      {
        ...signed[0],
        batch: wire({ producerId: P + BigInt(index), sequence: 1, records: [`${index}-1`] }),
      } as Listed,
    ]),
  )
  moment = 'writing'
  const answers = await Promise.all(bodies.map((body) => post(collector, body)))
  const failed = answers.filter(({ status }) => status === 503)
  expect(failed.length).toBeGreaterThan(0)
  expect(failed.every(({ answer }) => answer.error?.retriable)).toBe(true)
  expect(memories).toHaveLength(1)
  const again = await Promise.all(bodies.map((body) => post(collector, body)))
  expect(again.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  expect((await values(collector)).toSorted()).toEqual(ids.flatMap((id) => [`${id}-0`, `${id}-1`]))
  expect(memories).toHaveLength(2)
})
