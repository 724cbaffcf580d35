import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createCollector, memoryStore, openDiskStore, type Store } from '../../../ts/collector/index.ts'
import { type Answer, deliver, post, results, values } from './client.ts'
import { P, request, wire } from './wire.ts'

const ROOT = join(import.meta.dirname, '../../..')
const COMMAND = ['--import', './scripts/lib/typescript.mjs', './ts/cli/index.ts']

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-collector-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('what was acknowledged is there, and known, after the store was closed and opened', async () => {
  const batch = wire({ records: ['a', 'b'] })
  const before = createCollector({ store: folder })
  const { signed } = await deliver(before, [{ batch }])
  await before.close()
  const after = createCollector({ store: folder })
  expect(results(await post(after, request(signed)))).toEqual(['duplicate'])
  const next = { ...signed[0], batch: wire({ sequence: 2, records: ['c'] }) }
  expect(results(await post(after, request([next])))).toEqual(['accepted'])
  expect(await values(after)).toEqual(['a', 'b', 'c'])
  await after.close()
})

test('an answer waits for the disk', async () => {
  const inner = memoryStore()
  let release: () => void = () => undefined
  let held: Promise<void> | undefined
  const store: Store = {
    read: (scans) => inner.read(scans),
    close: () => inner.close(),
    write: async (changes, durable) => {
      expect(durable).toBe(true)
      await held
      return inner.write(changes, durable)
    },
  }
  const collector = createCollector({ store })
  const { signed } = await deliver(collector, [{ batch: wire() }])
  held = new Promise((resolve) => {
    release = resolve
  })
  const next = request([{ ...signed[0], batch: wire({ sequence: 1 }) }])
  let answered = 0
  const answers = [post(collector, next), post(collector, next)].map(async (answer) => {
    const known = await answer
    answered += 1
    return known
  })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(answered, 'neither the original nor its duplicate').toBe(0)
  release()
  expect((await Promise.all(answers)).flatMap(results).toSorted()).toEqual(['accepted', 'duplicate'])
  await collector.close()
})

test('a store that fails is busy, and nothing is acknowledged', async () => {
  const inner = await openDiskStore(folder)
  let fails = false
  const reported: unknown[] = []
  const store: Store = {
    read: (scans) => inner.read(scans),
    close: () => inner.close(),
    write: async (changes, durable) => {
      if (fails) throw new Error('no space left on device')
      return inner.write(changes, durable)
    },
  }
  const collector = createCollector({ store, onError: (error) => reported.push(error) })
  const { signed } = await deliver(collector, [{ batch: wire() }])
  fails = true
  const body = request([{ ...signed[0], batch: wire({ sequence: 1, records: ['b'] }) }])
  const failed = await post(collector, body)
  expect([failed.status, results(failed), failed.headers.get('retry-after')]).toEqual([503, ['busy'], '1'])
  fails = false
  expect(results(await post(collector, body))).toEqual(['accepted'])
  expect(await values(collector)).toEqual(['a', 'b'])
  expect(reported.map(String)).toEqual(['Error: no space left on device'])
  await collector.close()
})

/** A collector in a process of its own. */
class Process {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  static async start(data: string): Promise<Process> {
    const child = spawn(process.execPath, [...COMMAND, 'collect', '--port', '0', '--data', data], {
      cwd: ROOT,
    })
    let output = ''
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (chunk) => {
        output += chunk
        const [address] = /http:\/\/localhost:\d+/.exec(output) ?? []
        if (address !== undefined) resolve(address)
      })
      child.once('exit', () => reject(new Error(`the collector ended: ${output}`)))
    })
    return new Process(child, url)
  }

  async post(body: Uint8Array<ArrayBuffer>): Promise<Answer> {
    return (await (await fetch(`${this.url}/v1/batches`, { method: 'POST', body })).json()) as Answer
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.child.once('exit', resolve))
    this.child.kill(signal)
    return ended
  }
}

test('SIGKILL in the middle of many requests loses nothing that was acknowledged, and doubles nothing', async () => {
  let collector = await Process.start(folder)
  const producers = Array.from({ length: 8 }, (_, index) => P + BigInt(index))
  const batchOf = (producerId: bigint, sequence: number) =>
    wire({ producerId, sequence, records: [`${producerId - P}-${sequence}`] })
  const signatures = await Promise.all(
    producers.map(async (producerId) => {
      const { answers } = await collector.post(request([{ batch: batchOf(producerId, 0) }]))
      const { signature, signedAt } = answers?.[0] ?? {}
      return { signature, signedAt }
    }),
  )
  const acknowledged: number[] = producers.map(() => 0)
  /** Each producer sends one batch after another until the collector is gone. */
  const sendAll = (until: number) =>
    Promise.all(
      producers.map(async (producerId, index) => {
        while ((acknowledged[index] ?? 0) < until) {
          const sequence = acknowledged[index] ?? 0
          const body = request([{ batch: batchOf(producerId, sequence), ...signatures[index] }])
          const answer = await collector.post(body).catch(() => undefined)
          if (answer === undefined) return
          expect(answer.answers?.[0]?.status).toBe(200)
          acknowledged[index] = sequence + 1
        }
      }),
    )
  for (const round of [1, 2, 3]) {
    const sending = sendAll(100_000)
    const enough = () => acknowledged.reduce((sum, count) => sum + count, 0) >= round * 150
    while (!enough()) await new Promise((resolve) => setTimeout(resolve, 5))
    await collector.end('SIGKILL')
    await sending
    collector = await Process.start(folder)
  }
  const target = Math.max(...acknowledged) + 5
  await sendAll(target)
  expect(await collector.end('SIGTERM')).toBe(0)
  const reader = createCollector({ store: folder })
  const found: (string | null)[] = []
  for (let more = true; more; ) {
    const path = `http://collector.test/v1/topics/events/records?limit=1000&offset=${found.length}`
    const { records } = (await (await reader(new Request(path))).json()) as { records: { value: string }[] }
    found.push(...records.map(({ value }) => value))
    more = records.length > 0
  }
  await reader.close()
  for (const [index] of producers.entries()) {
    const own = found.filter((value) => value?.startsWith(`${index}-`))
    expect(own).toEqual(Array.from({ length: target }, (_, sequence) => `${index}-${sequence}`))
  }
}, 60_000)
