import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Collector, createCollector, memoryStore } from '../../../ts/collector/index.ts'
import { deliver, get, post, read, results, values } from './client.ts'
import { concat, P, request, wire } from './wire.ts'

let collector: Collector
let reported: unknown[]

beforeEach(() => {
  reported = []
  collector = createCollector({
    store: memoryStore(),
    writeKeys: ['key', 'other'],
    limits: { requestBytes: 60_000, batchBytes: 20_000 },
    onError: (error) => reported.push(error),
  })
})
afterEach(async () => {
  await collector.close()
  expect(reported).toEqual([])
})

describe('delivery', () => {
  test('a batch is stored once, however often it comes', async () => {
    const batch = wire({ records: ['a', 'b'] })
    const first = await deliver(collector, [{ batch }])
    expect(first.status).toBe(200)
    expect(results(first)).toEqual(['accepted'])
    const again = await deliver(collector, [{ batch }])
    expect(results(again)).toEqual(['duplicate'])
    expect(again.answer.answers?.[0]?.baseOffset).toBe('0')
    expect(await values(collector)).toEqual(['a', 'b'])
  })

  test('each write key is taken, and each answer has its status', async () => {
    const batch = wire({ producerId: P + 1n })
    const first = await post(collector, request([{ batch }], 'other'))
    expect(first.status).toBe(202)
    expect(first.answer.limits).toEqual({ requestBytes: 60_000, batchBytes: 20_000 })
    expect(results(await deliver(collector, [{ batch }], 'other'))).toEqual(['accepted'])
  })

  test('a gap and an old epoch conflict, another log diverges', async () => {
    await deliver(collector, [{ batch: wire({ epoch: 1 }) }])
    const gap = await deliver(collector, [{ batch: wire({ epoch: 1, sequence: 2 }) }])
    const old = await deliver(collector, [{ batch: wire({ epoch: 0, sequence: 1 }) }])
    const copy = await deliver(collector, [{ batch: wire({ epoch: 1, records: ['b'] }) }])
    expect([gap, old, copy].map(({ status }) => status)).toEqual([409, 409, 409])
    expect([gap, old, copy].flatMap(results)).toEqual(['outOfOrder', 'fenced', 'diverged'])
    const error = gap.answer.answers?.[0]?.error
    expect(error).toMatchObject({ kind: 'Invalid', code: 'OUT_OF_ORDER_SEQUENCE_NUMBER', retriable: false })
    expect(error?.message).toMatch(/sent sequence 2: 1 comes next/)
    expect(await values(collector)).toEqual(['a'])
  })

  test('what is bad costs what is good nothing', async () => {
    const [good, fine] = [wire({ records: ['good'] }), wire({ producerId: P + 9n, records: ['fine'] })]
    const damaged = wire({ producerId: P + 1n })
    damaged[66] = 1 ^ (damaged[66] ?? 0)
    const long = wire({ producerId: P + 2n, records: ['x'.repeat(20_000)] })
    const listed = [
      { batch: good },
      { batch: damaged },
      { batch: long },
      { batch: wire({ producerId: P + 3n }), topic: '../etc' },
      { batch: wire({ producerId: P + 4n }), partition: 7 },
      { batch: fine },
    ]
    const { status, answer, ...rest } = await deliver(collector, listed)
    expect(status).toBe(207)
    expect(results({ answer, ...rest })).toEqual([
      'accepted',
      'refused',
      'deadLettered',
      'refused',
      'refused',
      'accepted',
    ])
    expect(answer.answers?.map(({ status }) => status)).toEqual([200, 422, 200, 400, 404, 200])
    for (const { error, status } of answer.answers ?? []) {
      if (status !== 200)
        expect(error).toMatchObject({ kind: expect.any(String), message: expect.any(String) })
    }
    expect(await values(collector)).toEqual(['good', 'fine'])
    const [letter] = (await read(collector, '', 'events.dlq')).records
    expect(Buffer.from(letter?.value ?? '', 'base64')).toEqual(Buffer.from(long))
  })

  test('100 requests at once for one partition are all stored', async () => {
    const signed = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const batch = wire({ producerId: P + BigInt(index), records: [`event ${index}`] })
        const { answer } = await post(collector, request([{ batch }]))
        return { batch, ...answer.answers?.[0] }
      }),
    )
    const answers = await Promise.all(
      signed.map(({ batch, signature, signedAt }) =>
        post(collector, request([{ batch, signature, signedAt }])),
      ),
    )
    expect(new Set(answers.flatMap(results))).toEqual(new Set(['accepted']))
    const offsets = answers.map(({ answer }) => Number(answer.answers?.[0]?.baseOffset))
    expect(offsets.toSorted((left, right) => left - right)).toEqual(
      Array.from({ length: 100 }, (_, index) => index),
    )
    expect(new Set(await values(collector)).size).toBe(100)
  })
})

describe('bodies', () => {
  test('gzip is told by its first bytes', async () => {
    const { signed } = await deliver(collector, [{ batch: wire() }])
    const answer = await post(collector, gzipSync(request(signed)))
    expect(results(answer)).toEqual(['duplicate'])
  })

  test('a bomb is refused before it unfolds', async () => {
    const bomb = gzipSync(Buffer.alloc(50 << 20))
    expect(bomb.length).toBeLessThan(60_000)
    const { status, answer } = await post(collector, bomb)
    expect(status).toBe(413)
    expect(answer.error).toMatchObject({ kind: 'Invalid', code: 'MESSAGE_TOO_LARGE', retriable: false })
    expect(answer.limits.requestBytes).toBe(60_000)
  })

  test('gzip that is none, or was cut off, is refused', async () => {
    const whole = gzipSync(request([{ batch: wire() }]))
    for (const body of [
      Uint8Array.of(0x1f, 0x8b),
      Uint8Array.of(0x1f, 0x8b, 8, 1, 2, 3),
      whole.subarray(0, 40),
    ]) {
      const { status, answer } = await post(collector, body)
      expect([status, answer.error?.code]).toEqual([400, 'INVALID_REQUEST'])
    }
  })

  test('a body over the limit is refused, whether it says its length or not', async () => {
    const large = new Uint8Array(60_001)
    expect((await post(collector, large, { 'content-length': '60001' })).status).toBe(413)
    let pulled = 0
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(10_000))
      },
    })
    const init = { method: 'POST', body: stream, duplex: 'half' } as RequestInit
    expect((await get(collector, '/v1/batches', init)).status).toBe(413)
    expect(pulled).toBeLessThan(12)
  })

  test('what is no request is answered in JSON', async () => {
    const bodies: (BodyInit | null)[] = [
      null,
      '',
      '\n',
      'hello',
      '{}\n',
      '[]\n',
      '{"v":1}\n',
      new Uint8Array([0, 255, 10]),
    ]
    for (const body of bodies) {
      const { status, answer } = await post(collector, body)
      expect(status).toBe(400)
      expect(answer.answers).toBeUndefined()
      expect(answer.error).toMatchObject({
        kind: 'Invalid',
        code: 'INVALID_REQUEST',
        message: expect.any(String),
      })
    }
    const { status, answer } = await post(collector, request([{ batch: wire() }], 'wrong'))
    expect([status, answer.error?.kind, answer.error?.code]).toEqual([403, 'Invalid', 'WRITE_KEY_REFUSED'])
  })

  test('a huge first line and a hundred thousand batches are refused', async () => {
    const roomy = createCollector({ store: memoryStore(), limits: { requestBytes: 16 << 20 } })
    const listed = { topic: 't', partition: 0, bytes: 0 }
    const many = JSON.stringify({ v: 1, batches: Array.from({ length: 100_000 }, () => listed) })
    expect((await post(roomy, `${many}\n`)).status).toBe(413)
    expect((await post(roomy, `{"v":1,"x":${'['.repeat(200_000)}\n`)).status).toBe(400)
    const some = JSON.stringify({ v: 1, batches: Array.from({ length: 1_001 }, () => listed) })
    expect((await post(roomy, `${some}\n`)).status).toBe(400)
    await roomy.close()
  })

  test('what was cut off is refused, and what came before it is stored', async () => {
    const listed = [
      { batch: wire({ records: ['whole'] }) },
      { batch: wire({ producerId: P + 1n, records: ['cut'] }) },
    ]
    const { answer: first } = await post(collector, request(listed))
    const signed = listed.map((each, index) => {
      const { signature, signedAt } = first.answers?.[index] ?? {}
      return { ...each, signature, signedAt }
    })
    const cut = await post(collector, request(signed).slice(0, -5))
    expect([cut.status, results(cut)]).toEqual([207, ['accepted', 'refused']])
    const surplus = await post(collector, concat([request(signed), wire()]))
    expect([surplus.status, results(surplus)]).toEqual([207, ['duplicate', 'accepted']])
    expect(surplus.answer.error?.code).toBe('INVALID_REQUEST')
    expect(await values(collector)).toEqual(['whole', 'cut'])
  })
})

describe('HTTP', () => {
  test('pages of every origin may deliver', async () => {
    const preflight = await get(collector, '/v1/batches', { method: 'OPTIONS' })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-methods')).toBe('POST')
    const { headers } = await post(collector, 'nonsense')
    for (const each of [preflight.headers, headers]) expect(each.get('access-control-allow-origin')).toBe('*')
    expect(headers.get('access-control-expose-headers')).toBe('retry-after')
  })

  test('nobody reads from another origin', async () => {
    const response = await get(collector, '/v1/topics', { headers: { origin: 'https://elsewhere.test' } })
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })

  test('other methods and addresses are refused in JSON', async () => {
    const cases: [string, string, number][] = [
      ['GET', '/v1/batches', 405],
      ['PUT', '/v1/batches', 405],
      ['POST', '/v1/topics', 405],
      ['DELETE', '/v1/topics/events/records', 405],
      ['POST', '/', 405],
      ['GET', '/v1/batches/', 404],
      ['GET', '/v2/batches', 404],
      ['GET', '/v1/topics/', 404],
      ['GET', '/v1/topics/a/b/records', 404],
      ['GET', '/v1/topics/%2e%2e%2fevents/records', 404],
      ['GET', '/v1/topics/%zz/records', 400],
      ['GET', '/v1/topics/nothing/records', 404],
    ]
    for (const [method, path, status] of cases) {
      const response = await get(collector, path, { method })
      expect([method, path, response.status]).toEqual([method, path, status])
      expect(await response.json()).toMatchObject({ error: { kind: 'Invalid', message: expect.any(String) } })
      if (status === 405) expect(response.headers.get('allow')).toBeTruthy()
    }
  })

  test('reading takes whole numbers', async () => {
    await deliver(collector, [{ batch: wire({ records: ['a', 'b', 'c'] }) }])
    expect((await read(collector, '?offset=1&limit=1')).records.map(({ value }) => value)).toEqual(['b'])
    expect(await read(collector, '?partition=0&offset=3')).toMatchObject({ records: [], nextOffset: '3' })
    const bad = [
      'partition=-1',
      'partition=x',
      'offset=-1',
      'offset=1.5',
      'offset=9e9',
      'offset=',
      'limit=0',
      'limit=1001',
    ]
    for (const query of [...bad, `offset=${'9'.repeat(40)}`, 'offset=99', 'limit=0x10', 'partition=%00']) {
      expect([query, (await get(collector, `/v1/topics/events/records?${query}`)).status]).toEqual([
        query,
        400,
      ])
    }
    expect((await get(collector, '/v1/topics/events/records?partition=4294967296')).status).toBe(404)
  })

  test('it says that it is well', async () => {
    expect(await (await get(collector, '/healthz')).json()).toEqual({ status: 'ok' })
    expect((await get(collector, '/healthz', { method: 'HEAD' })).status).toBe(200)
  })
})

describe('a read key', () => {
  test('is asked of those who read, and of nobody who delivers', async () => {
    const guarded = createCollector({ store: memoryStore(), readKey: 'secret' })
    expect(results(await deliver(guarded, [{ batch: wire() }]))).toEqual(['accepted'])
    for (const path of ['/v1/topics', '/v1/topics/events/records', '/v1/topics?key=wrong']) {
      expect((await get(guarded, path)).status).toBe(401)
    }
    expect((await get(guarded, '/v1/topics?key=secret')).status).toBe(200)
    for (const authorization of ['Bearer secret', 'bearer secret']) {
      const init = { headers: { authorization } }
      expect((await get(guarded, '/v1/topics/events/records', init)).status).toBe(200)
    }
    expect((await get(guarded, '/healthz')).status).toBe(200)
    await guarded.close()
  })
})

describe('registrations', () => {
  test('are limited for each address that the runtime knows', async () => {
    const strict = createCollector({ store: memoryStore(), limits: { registrationsPerMinute: 2 } })
    const register = async (id: bigint, info: unknown, headers = {}) => {
      const init = { method: 'POST', body: request([{ batch: wire({ producerId: P + id }) }]), headers }
      return strict(new Request('http://collector.test/v1/batches', init), info)
    }
    const ways: [unknown, Record<string, string>][] = [
      [{ address: '192.0.2.1' }, {}],
      [{ remoteAddr: { hostname: '192.0.2.2' } }, {}],
      [{ requestIP: () => ({ address: '192.0.2.3' }) }, {}],
      [{}, { 'cf-connecting-ip': '192.0.2.4' }],
    ]
    for (const [info, headers] of ways) {
      expect((await register(0n, info, headers)).status).toBe(202)
      expect((await register(1n, info, headers)).status).toBe(202)
      const refused = await register(2n, info, headers)
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30'])
    }
    await strict.close()
  })
})

test.each([7, null, ['192.0.2.1'], Symbol('address')])(
  'an address that is no text is none: %s',
  async (address) => {
    const errors: unknown[] = []
    const odd = createCollector({
      store: memoryStore(),
      address: () => address as never,
      onError: (error) => errors.push(error),
    })
    const answer = await deliver(odd, [{ batch: wire() }])
    expect([answer.status, errors]).toEqual([200, []])
    await odd.close()
  },
)

describe('options', () => {
  test('that cannot be are refused at once', () => {
    const store = memoryStore()
    const sink = () => undefined
    const cases: [Parameters<typeof createCollector>[0], RegExp][] = [
      [{}, /either "store" or "sink"/],
      [{ store, sink }, /either "store" or "sink"/],
      [{ store, deadLetter: sink }, /"deadLetter" stands beside a "sink"/],
      [{ store, writeKeys: [''] }, /"writeKeys"/],
      [{ store, readKey: '' }, /"readKey"/],
      [{ store, secret: 5 as never }, /"secret" is text or bytes/],
      [{ store: 5 as never }, /"store" is a store/],
      [{ store: null as never }, /"store" is a store/],
      [{ store, topics: ['a/b'] }, /"a\/b" is no topic/],
      [{ store, topics: ['a.dlq'] }, /"a.dlq" is no topic/],
      [{ store, topics: [{ topic: 'a', partitions: 0 }] }, /cannot have 0 partitions/],
      [{ store, limits: { batchBytes: 0 } }, /"batchBytes" is a whole number/],
      [{ store, limits: { bytes: 1 } as object }, /there is no limit "bytes"/],
    ]
    for (const [options, message] of cases) expect(() => createCollector(options)).toThrow(message)
  })

  test('name the topics that there are', async () => {
    const named = createCollector({
      store: memoryStore(),
      topics: ['orders', { topic: 'events', partitions: 2 }],
    })
    const unknown = await deliver(named, [{ batch: wire(), topic: 'clicks' }])
    expect([unknown.status, results(unknown)]).toEqual([404, ['refused']])
    const known = await deliver(named, [{ batch: wire(), partition: 1 }])
    expect(known.answer.answers?.[0]).toMatchObject({ result: 'accepted', partitions: 2 })
    await named.close()
  })
})
