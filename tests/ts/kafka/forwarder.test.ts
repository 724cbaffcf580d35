import { describe, expect, test, vi } from 'vitest'
import {
  type Delivery,
  type ForwardedRecord,
  functionSink,
  type Kafka,
  KafkaJSNonRetriableError,
  type Sink,
  type WireBatch,
} from '../../../ts/index.ts'
import { logged, memory, numbers, send, until } from '../support/kafka.ts'

/** A sink that answers as it is told. */
function answering(...deliveries: (Delivery | Error)[]): { sink: Sink; batches: WireBatch[][] } {
  const batches: WireBatch[][] = []
  const accepted = (given: WireBatch[]): Delivery => ({ answers: given.map(() => ({ result: 'accepted' })) })
  const sink: Sink = {
    id: 'test',
    async deliver(given) {
      batches.push(given)
      const next = deliveries.shift() ?? accepted(given)
      if (next instanceof Error) throw next
      return next
    },
  }
  return { sink, batches }
}

async function delivered(kafka: Kafka, topic: string): Promise<string[]> {
  const [found] = await kafka.admin().fetchOffsets({ groupId: '__forwarder', topics: [topic] })
  return found?.partitions.map(({ offset }) => offset) ?? []
}

describe('forwarding', () => {
  test('delivers every record, in order, with its identity', async () => {
    const kafka = memory()
    const records: ForwardedRecord[] = []
    const sink = functionSink(async (given) => void records.push(...given))
    await send(kafka, 't', numbers(50))
    const forwarder = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    const told: string[] = []
    forwarder.on('delivered', ({ committed }) => told.push(committed))
    await send(kafka, 't', numbers(50, 50))
    await until(() => records.length === 100 && told.at(-1) === '100', 'all are delivered')
    expect(records.map(({ value }) => String(value))).toEqual(numbers(100))
    expect(records.map(({ offset }) => offset)).toEqual(numbers(100))
    expect(records.map(({ sequence }) => sequence)).toEqual(numbers(100).map(Number))
    const [first] = records
    expect(new Set(records.map(({ producerId }) => producerId)).size).toBe(1)
    expect(first?.hwId).toMatch(/^[0-9a-f]{24}$/)
    expect(new Set(records.map(({ hwId }) => hwId)).size).toBe(100)
    expect(first?.headers).toEqual({})
    expect(first?.timestamp).toBeGreaterThan(1_700_000_000_000)
    await forwarder.stop()
    expect(await delivered(kafka, 't')).toEqual(['100'])
  })

  test('hands over batches as they go on the wire', async () => {
    const kafka = memory()
    const { sink, batches } = answering()
    await send(kafka, 't', numbers(3))
    const forwarder = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    await until(() => batches.length === 1, 'a batch is delivered')
    const [batch] = batches[0] ?? []
    expect(batch).toMatchObject({
      topic: 't',
      partition: 0,
      partitions: 1,
      baseSequence: 0,
      firstOffset: 0n,
      lastOffset: 2n,
      uncertain: false,
      signedAt: 0,
      count: 3,
    })
    expect(batch?.producerId).toBeGreaterThanOrEqual(2n ** 61n)
    expect(batch?.producerId).toBeLessThan(2n ** 62n)
    expect(batch?.bytes[16]).toBe(2)
    expect(batch?.index).toBeUndefined()
    await forwarder.stop()
  })

  test('sends the same bytes again after a failure, and tells of its patience', async () => {
    const kafka = memory()
    const busy = { code: 'BUSY', message: 'come back later', retriable: true }
    const { sink, batches } = answering(new TypeError('Failed to fetch'), { answers: [], error: busy })
    const forwarder = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    const told: { attempts: number; retryInMs: number; error: { code: string } }[] = []
    forwarder.on('backoff', (event) => told.push(event))
    let committed = ''
    forwarder.on('delivered', (event) => {
      committed = event.committed
    })
    await send(kafka, 't', ['x'])
    const hurry = setInterval(() => forwarder.retryNow(), 20)
    await until(() => committed === '1', 'it is delivered in the end')
    clearInterval(hurry)
    expect(batches).toHaveLength(3)
    expect(batches.map(([batch]) => Buffer.from(batch?.bytes ?? []).toString('hex'))).toEqual(
      Array.from({ length: 3 }, () => Buffer.from(batches[0]?.[0]?.bytes ?? []).toString('hex')),
    )
    expect(told.map(({ attempts, error }) => [attempts, error.code])).toEqual([
      [1, 'NETWORK_EXCEPTION'],
      [2, 'BUSY'],
    ])
    expect(told[0]?.retryInMs).toBeGreaterThan(0)
    await forwarder.stop()
  })

  test('says on the console, once, that it is refused: waiting alone does not help', async () => {
    const { entries, logCreator } = logged()
    const kafka = memory({ logLevel: 2, logCreator })
    const refused = { code: 'HTTP_403', message: 'the write key is not known', retriable: false }
    const busy = { code: 'BUSY', message: 'come back later', retriable: true }
    const answer = (error: typeof busy): Delivery => ({ answers: [], error })
    const { sink } = answering(answer(busy), answer(refused), answer(refused))
    const forwarder = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    const done = new Promise((resolve) => forwarder.on('delivered', resolve))
    await send(kafka, 't', ['x'])
    const hurry = setInterval(() => forwarder.retryNow(), 20)
    await done
    clearInterval(hurry)
    await forwarder.stop()
    expect(entries.map(({ label, log: { message, topic, code } }) => [label, message, topic, code])).toEqual([
      ['WARN', 'Records are not delivered: the write key is not known', 't', 'HTTP_403'],
    ])
  })

  test('aborts what is under way when it is stopped, and goes on later', async () => {
    const kafka = memory()
    await send(kafka, 't', ['x'])
    let signal: AbortSignal | undefined
    const hanging: Sink = {
      id: 'test',
      deliver: (_batches, options) => {
        signal = options.signal
        return new Promise(() => undefined)
      },
    }
    const forwarder = await kafka.forward({ topic: 't', sink: hanging, lingerMs: 0 })
    await until(() => signal !== undefined, 'it delivers')
    await forwarder.stop()
    await forwarder.stop()
    expect(signal?.aborted).toBe(true)
    const { sink, batches } = answering()
    const next = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    await until(() => batches.length === 1, 'the next forwarder delivers')
    await next.stop()
  })

  test('one sink a topic, and one forwarder of it here', async () => {
    const kafka = memory()
    const { sink } = answering()
    const forwarder = await kafka.forward({ topic: 't', sink })
    await expect(kafka.forward({ topic: 't', sink })).rejects.toMatchObject({ type: 'SINK_CONFLICT' })
    await forwarder.stop()
    const other = kafka.forward({ topic: 't', sink: { ...sink, id: 'other' } })
    await expect(other).rejects.toMatchObject({ type: 'SINK_CONFLICT', code: 1011, retriable: false })
  })

  test('a listener that throws stops nothing', async () => {
    const kafka = memory()
    const { sink } = answering()
    const forwarder = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    const heard = vi.fn()
    forwarder.on('delivered', () => {
      throw new Error('mine')
    })
    forwarder.on('delivered', async () => Promise.reject(new Error('mine')))
    const remove = forwarder.on('delivered', heard)
    await send(kafka, 't', ['x'])
    await until(() => heard.mock.calls.length === 1, 'it is told')
    remove()
    await forwarder.stop()
  })

  test.each<[string, object]>([
    ['Invalid topic undefined', {}],
    ['Invalid sink: use collectorSink, httpSink or functionSink', { topic: 't' }],
    ['Invalid sink: use collectorSink, httpSink or functionSink', { topic: 't', sink: { id: 'x' } }],
  ])('%s', async (message, config) => {
    const refused = memory().forward(config as never)
    await expect(refused).rejects.toThrow(new KafkaJSNonRetriableError(message))
  })
})
