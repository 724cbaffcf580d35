import { describe, expect, test, vi } from 'vitest'
import { functionSink } from '../../../ts/sinks/function.ts'
import { httpSink } from '../../../ts/sinks/http.ts'
import { type ForwardedRecord, recordsOf } from '../../../ts/sinks/records.ts'
import { decodedBatch, wireBatch } from '../support/batches.ts'

const options = { keepalive: false, signal: new AbortController().signal }
const id = Uint8Array.from({ length: 12 }, (_, index) => index + 0xf0)

function batch() {
  return decodedBatch(
    [
      {
        key: 'user',
        value: '{"a":1}',
        timestamp: 99,
        headers: [
          ['hw-id', id],
          ['trace', 'x'],
          ['trace', 'y'],
        ],
      },
      { key: null, value: null, headers: [['hw-uncertain', '1']] },
    ],
    { topic: 'orders', partition: 2, firstOffset: 40n, epoch: 3, baseSequence: 2 ** 31 - 1 },
  )
}

describe('forwarded records', () => {
  test('carry their identity, and only the headers of the application', () => {
    const [first, second] = recordsOf(batch())
    expect(first).toEqual({
      topic: 'orders',
      partition: 2,
      offset: '40',
      producerId: String(2n ** 61n + 1n),
      epoch: 3,
      sequence: 2 ** 31 - 1,
      hwId: 'f0f1f2f3f4f5f6f7f8f9fafb',
      uncertain: false,
      timestamp: 99,
      key: Buffer.from('user'),
      value: Buffer.from('{"a":1}'),
      headers: { trace: [Buffer.from('x'), Buffer.from('y')] },
    })
    expect(second).toMatchObject({
      offset: '41',
      sequence: 0,
      hwId: '',
      uncertain: true,
      key: null,
      value: null,
    })
  })

  test('a batch without an index has none', () => expect(recordsOf(wireBatch())).toEqual([]))
})

describe('the function sink', () => {
  test('hands records over and takes them for accepted', async () => {
    const taken: ForwardedRecord[] = []
    const sink = functionSink(async (records) => void taken.push(...records), { name: 'mine' })
    expect(sink).toMatchObject({ id: 'function:mine', decode: true })
    const { answers } = await sink.deliver([batch(), batch()], options)
    expect(taken.map(({ offset }) => offset)).toEqual(['40', '41', '40', '41'])
    expect(answers).toEqual([{ result: 'accepted' }, { result: 'accepted' }])
  })

  test.each<[string, () => Promise<void>]>([
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
  ])('one that %s gets them again', async (_, deliver) => {
    await expect(functionSink(deliver).deliver([batch()], options)).rejects.toThrow('no')
  })

  test('something else than a function is refused at once', () => {
    const name = 'mine' as unknown as Parameters<typeof functionSink>[0]
    expect(() => functionSink(name)).toThrow('expected a function of records, received string')
  })

  test('one that hangs is given up, and told so', async () => {
    vi.useFakeTimers()
    let told: AbortSignal | undefined
    const sink = functionSink((_records, { signal }) => {
      told = signal
      return new Promise(() => undefined)
    })
    const failed = expect(sink.deliver([batch()], options)).rejects.toThrow('no answer within')
    await vi.advanceTimersByTimeAsync(30_000)
    await failed
    expect(told?.aborted).toBe(true)
    vi.useRealTimers()
  })
})

describe('the HTTP sink', () => {
  async function deliver(response: Response, headers?: Record<string, string>) {
    const fetch = vi.fn(async (_url: string, _init: RequestInit) => response)
    const given = { url: '/events', fetch: fetch as typeof globalThis.fetch, ...(headers ? { headers } : {}) }
    const delivery = await httpSink(given).deliver([batch()], options)
    const [url, init] = fetch.mock.calls[0] ?? []
    return { url, delivery, headers: init?.headers as Headers, body: JSON.parse(String(init?.body)) }
  }

  test('posts JSON whose parts are text', async () => {
    const { url, headers, body, delivery } = await deliver(new Response(null, { status: 204 }))
    expect(url).toBe('/events')
    expect(headers.get('content-type')).toBe('text/plain')
    expect(body.records).toMatchObject([
      {
        topic: 'orders',
        partition: 2,
        offset: '40',
        key: 'user',
        value: '{"a":1}',
        headers: { trace: ['x', 'y'] },
      },
      { offset: '41', key: null, value: null, headers: {} },
    ])
    expect(delivery.answers).toEqual([{ result: 'accepted' }])
  })

  test('sends the headers that it is given', async () => {
    const { headers } = await deliver(new Response(), {
      'Content-Type': 'application/json',
      authorization: 'x',
    })
    expect(headers.get('content-type')).toBe('application/json')
    expect(headers.get('authorization')).toBe('x')
  })

  test.each([
    [500, true],
    [429, true],
    [400, false],
  ])('a status of %d takes nothing', async (status, retriable) => {
    const { delivery } = await deliver(new Response('', { status, headers: { 'retry-after': '2' } }))
    expect(delivery).toMatchObject({
      answers: [],
      error: { code: `HTTP_${status}`, retriable },
      retryAfterMs: 2_000,
    })
  })
})
