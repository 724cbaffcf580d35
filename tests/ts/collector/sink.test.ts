import { expect, test } from 'vitest'
import { type CollectedRecord, createCollector, type DeadLetter } from '../../../ts/collector/index.ts'
import { deliver, get, post, results } from './client.ts'
import { P, request, wire } from './wire.ts'

const decode = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes))

test('a sink gets decoded records with their identity, and acknowledges by resolving', async () => {
  const seen: CollectedRecord[] = []
  const collector = createCollector({ sink: async (records) => void seen.push(...records) })
  const id = new Uint8Array(12).fill(0xab)
  const records = [
    {
      key: 'user',
      value: 'one',
      headers: [
        ['a', '1'],
        ['a', null],
        ['hw-id', id],
      ] as [string, string | null][],
    },
    { value: null, timestamp: 5, headers: [['hw-uncertain', '1']] as [string, string][] },
  ]
  const batch = wire({ producerId: P + 5n, epoch: 3, sequence: 2 ** 31 - 1, records })
  const answer = await deliver(collector, [{ batch, partition: 4, partitions: 9 }])
  expect([answer.status, results(answer)]).toEqual([200, ['accepted']])
  expect(answer.answer.answers?.[0]?.baseOffset).toBeUndefined()
  const identity = { topic: 'events', partition: 4, producerId: String(P + 5n), epoch: 3 }
  expect(seen).toHaveLength(2)
  expect(seen[0]).toMatchObject({
    ...identity,
    sequence: 2 ** 31 - 1,
    hwId: 'ab'.repeat(12),
    uncertain: false,
  })
  expect(seen[1]).toMatchObject({
    ...identity,
    sequence: 0,
    timestamp: 5,
    hwId: '',
    uncertain: true,
    key: null,
    value: null,
  })
  expect([decode(seen[0]?.key ?? null), decode(seen[0]?.value ?? null)]).toEqual(['user', 'one'])
  expect(seen[0]?.headers.map(([key, value]) => [key, decode(value)])).toEqual([
    ['a', '1'],
    ['a', null],
  ])
  await collector.close()
})

test('the records of one request come in one call', async () => {
  const calls: number[] = []
  const collector = createCollector({ sink: (records) => void calls.push(records.length) })
  const listed = [
    { batch: wire({ records: ['a', 'b'] }) },
    { batch: wire({ producerId: P + 1n }), topic: 'other' },
  ]
  expect(results(await deliver(collector, listed))).toEqual(['accepted', 'accepted'])
  expect(calls).toEqual([3])
  await collector.close()
})

test('a sink that rejects is asked again later, and hears its own error', async () => {
  const reported: unknown[] = []
  let fails = true
  const collector = createCollector({
    sink: async () => {
      if (fails) throw new Error('password of the database: hunter2')
    },
    onError: (error) => reported.push(error),
  })
  const batch = wire()
  const failed = await deliver(collector, [{ batch }])
  expect([failed.status, results(failed), failed.headers.get('retry-after')]).toEqual([503, ['busy'], '1'])
  expect(failed.answer.answers?.[0]?.error).toMatchObject({ kind: 'Unavailable', retriable: true })
  expect(JSON.stringify(failed.answer)).not.toContain('hunter2')
  expect(reported).toEqual([new Error('password of the database: hunter2')])
  fails = false
  const again = await post(collector, request(failed.signed))
  expect(results(again)).toEqual(['accepted'])
  expect(results(await post(collector, request(failed.signed)))).toEqual(['accepted'])
  await collector.close()
})

test('what no sink can take goes to the dead letters, if somebody takes them', async () => {
  const letters: DeadLetter[] = []
  const seen: CollectedRecord[] = []
  const limits = { batchBytes: 1_000 }
  const sink = (records: CollectedRecord[]) => void seen.push(...records)
  const long = wire({ producerId: P + 1n, epoch: 2, sequence: 9, records: ['x'.repeat(1_000)] })
  const listed = [{ batch: wire() }, { batch: long }]
  const kept = createCollector({ sink, limits, deadLetter: (given) => void letters.push(...given) })
  const answer = await deliver(kept, listed)
  expect([answer.status, results(answer)]).toEqual([200, ['accepted', 'deadLettered']])
  expect(letters).toHaveLength(1)
  const error = { kind: 'Invalid', code: 'MESSAGE_TOO_LARGE' }
  expect(letters[0]).toMatchObject({
    topic: 'events',
    producerId: String(P + 1n),
    epoch: 2,
    sequence: 9,
    error,
  })
  expect(Buffer.from(letters[0]?.bytes ?? [])).toEqual(Buffer.from(long))
  const refusing = createCollector({ sink, limits })
  const refused = await deliver(refusing, listed)
  expect([refused.status, results(refused)]).toEqual([207, ['accepted', 'refused']])
  expect(refused.answer.answers?.[1]?.status).toBe(413)
  await Promise.all([kept.close(), refusing.close()])
})

test('bad batches never reach a sink', async () => {
  const calls: unknown[] = []
  const collector = createCollector({ sink: (records) => void calls.push(records), topics: ['events'] })
  const damaged = wire()
  damaged[66] = 1 ^ (damaged[66] ?? 0)
  const answer = await deliver(collector, [
    { batch: damaged },
    { batch: wire({ producerId: P + 1n }), topic: 'other' },
  ])
  expect(answer.answer.answers?.map(({ status }) => status)).toEqual([422, 404])
  expect(calls).toEqual([])
  await collector.close()
})

test('there is nothing to read before a sink', async () => {
  const collector = createCollector({ sink: () => undefined })
  for (const path of ['/v1/topics', '/v1/topics/events/records']) {
    expect((await get(collector, path)).status).toBe(404)
  }
  expect((await get(collector, '/healthz')).status).toBe(200)
  await collector.close()
})
