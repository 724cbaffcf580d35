import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createCollector, memoryStore } from '../../../ts/collector/index.ts'
import { get } from './client.ts'
import { P, wire } from './wire.ts'

const DOCUMENT = readFileSync(join(import.meta.dirname, '../../../docs/protocol.md'), 'utf8')
const START = 1_700_000_000_000

/** The code block that follows a mark in the document. */
function example(name: string): string {
  const [, block] = new RegExp(`<!-- example: ${name} -->\\n\`\`\`\\w*\\n([^]*?)\`\`\``).exec(DOCUMENT) ?? []
  if (block === undefined) throw new Error(`the document has no example "${name}"`)
  return block
}

const body = Buffer.from(example('request').replaceAll('\n', ''), 'hex')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START + 200 })
})
afterEach(() => {
  vi.useRealTimers()
})

test('the example of the document is answered as the document says', async () => {
  const collector = createCollector({ store: memoryStore(), secret: 'secret', writeKeys: ['demo'] })
  const response = await get(collector, '/v1/batches', { method: 'POST', body })
  expect(response.status).toBe(200)
  expect(`${await response.text()}\n`).toBe(example('answer'))
  const shown = async (path: string) => (await get(collector, path)).json()
  expect(await shown('/v1/topics')).toEqual(JSON.parse(example('topics')))
  expect(await shown('/v1/topics/events/records?limit=1')).toEqual(JSON.parse(example('page')))
  await collector.close()
})

test('the parts of the example are its whole', () => {
  const line = Buffer.from(example('line'))
  const hex = example('batch')
    .replaceAll(/ {2,}.*$/gm, '')
    .replaceAll(/\s/g, '')
  expect(Buffer.concat([line, Buffer.from(hex, 'hex')])).toEqual(body)
  expect(DOCUMENT).toContain(`The body, ${body.length} bytes:`)
})

test('the encoder of these tests is the one of the document', () => {
  const bytes = (length: number, fill: (view: DataView) => void) => {
    const view = new DataView(new ArrayBuffer(length))
    fill(view)
    return new Uint8Array(view.buffer)
  }
  const headers = (sequence: number, time: number): [string, Uint8Array][] => [
    ['hw-id', bytes(12, (view) => view.setBigInt64(0, 0x1122334455667788n)).fill(sequence, 11)],
    ['hw-timestamp', bytes(8, (view) => view.setBigInt64(0, BigInt(time)))],
  ]
  const records = [
    { key: 'u1', value: '{"event":"a"}', timestamp: START, headers: headers(5, START) },
    { key: 'u1', value: '{"event":"b"}', timestamp: START + 40, headers: headers(6, START + 40) },
  ]
  const batch = wire({ producerId: P, sequence: 7, records })
  expect(Buffer.from(batch)).toEqual(body.subarray(body.indexOf('\n') + 1))
})
