import { deflateSync, inflateSync } from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  CompressionCodecs,
  CompressionTypes,
  type ForwardedRecord,
  functionSink,
  type Kafka,
  KafkaJSNotImplemented,
} from '../../../ts/index.ts'
import { memory, until } from '../support/kafka.ts'
import { reading } from '../support/reading.ts'

const LONG = 'all work and no play '.repeat(500)
const { GZIP, Snappy, LZ4, ZSTD } = CompressionTypes

const gzip = CompressionCodecs[GZIP]

afterEach(() => {
  if (gzip !== undefined) CompressionCodecs[GZIP] = gzip
  delete CompressionCodecs[ZSTD]
})

/** A codec as those for KafkaJS are written, that counts. */
function register() {
  const compress = vi.fn(async ({ buffer }: { buffer: Uint8Array }) => deflateSync(buffer))
  const decompress = vi.fn(async (bytes: Uint8Array) => inflateSync(bytes))
  CompressionCodecs[ZSTD] = () => ({ compress, decompress })
  return { compress, decompress }
}

async function send(kafka: Kafka, compression: number, values = [LONG, 'short', LONG]): Promise<void> {
  const producer = kafka.producer()
  await producer.connect()
  // The first append to a topic looks for its end, and stores what it has as it is.
  await producer.send({ topic: 't', messages: [{ value: 'first' }] })
  await producer.send({ topic: 't', messages: values.map((value) => ({ value })), compression })
  await producer.disconnect()
}

describe('compression', () => {
  test('by the platform’s GZIP is not seen by consumers', async () => {
    const kafka = memory()
    const codec = gzip?.()
    const compress = vi.spyOn(codec ?? ({} as never), 'compress')
    const decompress = vi.spyOn(codec ?? ({} as never), 'decompress')
    CompressionCodecs[GZIP] = () => codec ?? ({} as never)
    await send(kafka, GZIP)
    const stored = (await compress.mock.results[0]?.value) as Uint8Array
    expect([...stored.subarray(0, 2)]).toEqual([0x1f, 0x8b])
    const { values, seen, consumer } = await reading(kafka, 't')
    await seen(4)
    expect(values).toEqual(['first', LONG, 'short', LONG])
    expect(decompress).toHaveBeenCalled()
    await consumer.disconnect()
  })

  test.each([undefined, 'text', 3, new Uint8Array()])(
    'a codec that answers %s loses nothing',
    async (junk) => {
      const { compress } = register()
      compress.mockImplementation(async () => junk as never)
      const kafka = memory()
      await send(kafka, ZSTD)
      expect(compress).toHaveBeenCalled()
      const { values, seen, consumer } = await reading(kafka, 't')
      await seen(4)
      expect(values).toEqual(['first', LONG, 'short', LONG])
      await consumer.disconnect()
    },
  )

  test('by a codec that the application registers', async () => {
    const kafka = memory()
    const { compress, decompress } = register()
    await send(kafka, ZSTD)
    expect(compress).toHaveBeenCalledOnce()
    const [encoder] = compress.mock.calls[0] ?? []
    expect(encoder?.buffer.length).toBeGreaterThan(2 * LONG.length)
    expect(decompress).not.toHaveBeenCalled()
    const { values, seen, consumer } = await reading(kafka, 't')
    await seen(4)
    expect(values).toEqual(['first', LONG, 'short', LONG])
    await consumer.disconnect()
  })

  test('of what gains nothing by it is left out', async () => {
    const kafka = memory()
    const { compress, decompress } = register()
    await send(kafka, ZSTD, ['x'])
    expect(compress).toHaveBeenCalledOnce()
    const { seen, consumer } = await reading(kafka, 't')
    await seen(2)
    expect(decompress).not.toHaveBeenCalled()
    await consumer.disconnect()
  })

  test('does not keep a forwarder from delivering', async () => {
    const kafka = memory()
    await send(kafka, GZIP)
    const records: ForwardedRecord[] = []
    const sink = functionSink(async (given) => void records.push(...given))
    const stuck = vi.fn()
    const forwarder = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    forwarder.on('stuck', stuck)
    await until(() => records.length === 4, 'all are delivered')
    expect(records.map(({ value }) => String(value))).toEqual(['first', LONG, 'short', LONG])
    expect(records.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3])
    expect(stuck).not.toHaveBeenCalled()
    await forwarder.stop()
  })

  test('of one send does not change its neighbours in the task', async () => {
    const kafka = memory()
    const { compress } = register()
    await send(kafka, ZSTD, [LONG])
    const producer = kafka.producer()
    await producer.connect()
    const record = (value: string, compression: number) => ({
      topic: 't',
      messages: [{ value }],
      compression,
    })
    await Promise.all([
      producer.send(record(LONG, ZSTD)),
      producer.send(record('plain', 0)),
      producer.send(record(LONG, ZSTD)),
    ])
    const { values, seen, consumer } = await reading(kafka, 't')
    await seen(5)
    expect(values.toSorted()).toEqual([LONG, LONG, LONG, 'first', 'plain'].toSorted())
    for (const [{ buffer }] of compress.mock.calls) expect(String(buffer)).not.toContain('plain')
    await consumer.disconnect()
  })

  test('that is not to be had is refused', async () => {
    const producer = memory().producer({ transactionalId: 'tx' })
    await producer.connect()
    const record = { topic: 't', messages: [{ value: 'x' }] }
    for (const compression of [Snappy, LZ4, ZSTD]) {
      const refused = producer.send({ ...record, compression })
      await expect(refused).rejects.toThrow(KafkaJSNotImplemented)
      await expect(refused).rejects.toThrow(
        / compression not implemented: register a codec, CompressionCodecs/,
      )
    }
    await expect(producer.send({ ...record, compression: 9 })).rejects.toThrow('There is no compression 9')
    const transaction = await producer.transaction()
    await expect(transaction.send({ ...record, compression: LZ4 })).rejects.toThrow(
      'LZ4 compression not implemented',
    )
  })
})
