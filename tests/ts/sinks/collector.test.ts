import { gunzipSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import type { DeliverOptions, Delivery, WireBatch } from '../../../ts/native/types.ts'
import { collectorSink } from '../../../ts/sinks/collector.ts'
import { httpSink } from '../../../ts/sinks/http.ts'
import { wireBatch } from '../support/batches.ts'

const URL_OF_COLLECTOR = 'https://collect.example.com/v1/batches'

interface Sent {
  url: string
  init: RequestInit
  envelope: Record<string, unknown> & { batches: Record<string, unknown>[] }
  batches: Uint8Array
}

/** Delivers to a collector that answers so; says what was sent, and what became of it. */
async function deliver(
  batches: WireBatch[],
  response: Response,
  options: Partial<DeliverOptions> = {},
): Promise<{ sent: Sent; delivery: Delivery }> {
  const fetch = vi.fn(async (_url: string, _init: RequestInit) => response)
  const sink = collectorSink({
    url: URL_OF_COLLECTOR,
    writeKey: 'key',
    fetch: fetch as typeof globalThis.fetch,
  })
  const signal = new AbortController().signal
  const delivery = await sink.deliver(batches, { keepalive: false, signal, ...options })
  const [url = '', init = {}] = fetch.mock.calls[0] ?? []
  const body = init.body as Uint8Array
  const plain = body[0] === 0x1f && body[1] === 0x8b ? new Uint8Array(gunzipSync(body)) : body
  const end = plain.indexOf(0x0a)
  const envelope = JSON.parse(new TextDecoder().decode(plain.subarray(0, end)))
  return { sent: { url, init, envelope, batches: plain.subarray(end + 1) }, delivery }
}

function answers(list: object[], more: object = {}, init: ResponseInit = {}): Response {
  return Response.json({ v: 1, time: 1, answers: list, ...more }, init)
}

describe('the request of the collector sink', () => {
  test('is an envelope, a line feed and the batches', async () => {
    const signature = Uint8Array.from({ length: 32 }, (_, index) => index * 8)
    const signed = { signature, signedAt: 42, uncertain: true, topic: 'orders', partition: 3, partitions: 8 }
    const batches = [wireBatch(), wireBatch({ ...signed, bytes: Uint8Array.of(9, 0x0a, 7, 6) })]
    const { sent } = await deliver(batches, answers([{ result: 'accepted' }, { result: 'accepted' }]))
    expect(sent.url).toBe(URL_OF_COLLECTOR)
    expect(sent.envelope).toEqual({
      v: 1,
      writeKey: 'key',
      sentAt: expect.any(Number),
      batches: [
        { topic: 'events', partition: 0, partitions: 1, bytes: 3, uncertain: false },
        {
          topic: 'orders',
          partition: 3,
          partitions: 8,
          bytes: 4,
          uncertain: true,
          signature: Buffer.from(signature).toString('base64url'),
          signedAt: 42,
        },
      ],
    })
    expect([...sent.batches]).toEqual([1, 2, 3, 9, 0x0a, 7, 6])
  })

  test('needs no preflight, and takes no cookies along', async () => {
    const { sent } = await deliver([wireBatch()], answers([]))
    expect(sent.init).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      credentials: 'omit',
      keepalive: false,
    })
  })

  test('is compressed where that pays', async () => {
    const bytes = new Uint8Array(100_000).fill(7)
    const { sent } = await deliver([wireBatch({ bytes })], answers([]))
    expect((sent.init.body as Uint8Array).length).toBeLessThan(2_000)
    expect(sent.batches).toEqual(bytes)
    const small = await deliver([wireBatch()], answers([]))
    expect((small.sent.init.body as Uint8Array)[0]).toBe('{'.charCodeAt(0))
  })

  test('waits for nothing where the page may be gone', async () => {
    const bytes = new Uint8Array(40_000)
    const fetch = vi.fn(async () => answers([]))
    const sink = collectorSink({ url: URL_OF_COLLECTOR, fetch })
    const delivered = sink.deliver([wireBatch({ bytes })], {
      keepalive: true,
      signal: new AbortController().signal,
    })
    // Two turns of the microtask queue, and no compressor in between.
    await Promise.resolve()
    await Promise.resolve()
    expect(fetch).toHaveBeenCalledTimes(1)
    const [, init] = fetch.mock.calls[0] as unknown as [string, RequestInit]
    expect(init.keepalive).toBe(true)
    expect((init.body as Uint8Array).length).toBeGreaterThan(40_000)
    await delivered
  })

  test('ends with the forwarder', async () => {
    const stopped = new AbortController()
    const fetch = (_: unknown, { signal }: RequestInit = {}) =>
      new Promise<Response>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
    const sink = collectorSink({ url: URL_OF_COLLECTOR, fetch: fetch as typeof globalThis.fetch })
    const delivered = sink.deliver([wireBatch()], { keepalive: false, signal: stopped.signal })
    stopped.abort()
    await expect(delivered).rejects.toThrow('the forwarder was stopped')
  })
})

describe('the answer to the collector sink', () => {
  test('is taken over, field by field', async () => {
    const given = {
      result: 'refused',
      error: { kind: 'Invalid', code: 'CORRUPT_MESSAGE', message: 'wrong CRC', retriable: false },
      retryAfterMs: 250,
      partitions: 4,
      signature: 'AQID_-8',
      signedAt: 77,
    }
    const limits = { requestBytes: 4_194_304, batchBytes: 1_048_576 }
    const { delivery } = await deliver([wireBatch()], answers([given], { limits }))
    expect(delivery).toMatchObject({ time: 1, ...limits })
    const { signature, ...rest } = given
    expect(delivery.answers).toEqual([
      { ...rest, signature: Uint8Array.from(Buffer.from(signature, 'base64url')) },
    ])
  })

  test('a failure of the whole request is the collector’s own word', async () => {
    const error = {
      kind: 'Invalid',
      code: 'WRITE_KEY_REFUSED',
      message: 'unknown write key',
      retriable: false,
    }
    const { delivery } = await deliver([wireBatch()], Response.json({ v: 1, error }, { status: 403 }))
    expect(delivery).toMatchObject({ answers: [], error })
  })

  test.each([
    [502, true],
    [503, true],
    [429, true],
    [408, true],
    [404, false],
    [200, false],
  ])('something else answers with status %d', async (status, retriable) => {
    const { delivery } = await deliver([wireBatch()], new Response('<html>', { status }))
    expect(delivery).toMatchObject({ answers: [], error: { code: `HTTP_${status}`, retriable } })
    const wrong = 'answered with status 200, and not as a collector does: is it the right address?'
    if (status === 200) expect(delivery.error?.message).toContain(wrong)
  })

  test.each([undefined, null, '', 7])('there is no collector at %s', (url) => {
    expect(() => collectorSink({ url: url as string })).toThrow('Invalid url of a sink')
    expect(() => collectorSink(url as string)).toThrow()
  })

  test('a name identifies it wherever it is', () => {
    expect(collectorSink('https://a.example.com/').id).toBe('collector:https://a.example.com/')
    const moved = { url: 'https://b.example.com/', name: 'https://a.example.com/' }
    expect(collectorSink(moved).id).toBe('collector:https://a.example.com/')
    expect(httpSink(moved).id).toBe('http:https://a.example.com/')
  })

  test('Retry-After counts seconds, or names a date', async () => {
    const busy = (after: string) => new Response('', { status: 503, headers: { 'retry-after': after } })
    expect((await deliver([wireBatch()], busy('7'))).delivery.retryAfterMs).toBe(7_000)
    const date = new Date(Date.now() + 60_000).toUTCString()
    const { delivery } = await deliver([wireBatch()], busy(date))
    expect(delivery.retryAfterMs).toBeGreaterThan(55_000)
    expect((await deliver([wireBatch()], busy('soon'))).delivery.retryAfterMs).toBeUndefined()
  })

  test('no answer is a failure of the network', async () => {
    const fetch = async () => {
      throw new TypeError('Failed to fetch')
    }
    const sink = collectorSink({ url: URL_OF_COLLECTOR, fetch })
    const options = { keepalive: false, signal: new AbortController().signal }
    await expect(sink.deliver([wireBatch()], options)).rejects.toThrow('Failed to fetch')
  })

  test('no answer in time is one, too', async () => {
    vi.useFakeTimers()
    const fetch = () => new Promise<Response>(() => undefined)
    const sink = collectorSink({ url: URL_OF_COLLECTOR, fetch })
    const options = { keepalive: true, signal: new AbortController().signal }
    const failed = expect(sink.deliver([wireBatch()], options)).rejects.toThrow('no answer within')
    await vi.advanceTimersByTimeAsync(30_000)
    await failed
    vi.useRealTimers()
  })
})

test('a sink is known by its address', () => {
  expect(collectorSink('/v1/batches').id).toBe('collector:/v1/batches')
  expect(collectorSink(new URL(URL_OF_COLLECTOR)).id).toBe(`collector:${URL_OF_COLLECTOR}`)
})
