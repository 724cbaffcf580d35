/** Wire batches and requests, written from docs/protocol.md alone. */

export const P = 2n ** 61n

export interface WireRecord {
  value: string | null
  key?: string | null
  timestamp?: number
  headers?: [string, string | Uint8Array | null][]
}

export interface WireOptions {
  producerId?: bigint
  epoch?: number
  sequence?: number
  records?: (string | WireRecord)[]
}

const encoder = new TextEncoder()

/** A Kafka record batch (format 2), not compressed. */
export function wire({
  producerId = P,
  epoch = 0,
  sequence = 0,
  records = ['a'],
}: WireOptions = {}): Uint8Array {
  const full = records.map((record) => (typeof record === 'string' ? { value: record } : record))
  const times = full.map(({ timestamp = 1_700_000_000_000 }) => timestamp)
  const base = times[0] ?? 0
  const encoded = full.map((record, delta) => encodeRecord(record, (times[delta] ?? 0) - base, delta))
  const length = encoded.reduce((sum, bytes) => sum + bytes.length, 61)
  const batch = new Uint8Array(length)
  const view = new DataView(batch.buffer)
  view.setInt32(8, length - 12)
  view.setInt32(12, -1)
  view.setInt8(16, 2)
  view.setInt32(23, records.length - 1)
  view.setBigInt64(27, BigInt(base))
  view.setBigInt64(35, BigInt(Math.max(...times)))
  view.setBigInt64(43, producerId)
  view.setInt16(51, epoch)
  view.setInt32(53, sequence)
  view.setInt32(57, records.length)
  let at = 61
  for (const bytes of encoded) {
    batch.set(bytes, at)
    at += bytes.length
  }
  view.setUint32(17, crc32c(batch.subarray(21)))
  return batch
}

function encodeRecord(
  { key = null, value, headers = [] }: WireRecord,
  sinceBase: number,
  delta: number,
): Uint8Array {
  const body: number[] = [0, ...varint(sinceBase), ...varint(delta), ...part(key), ...part(value)]
  body.push(...varint(headers.length))
  for (const [name, content] of headers) body.push(...part(name), ...part(content))
  return Uint8Array.from([...varint(body.length), ...body])
}

function part(content: string | Uint8Array | null): number[] {
  if (content === null) return varint(-1)
  const bytes = typeof content === 'string' ? encoder.encode(content) : content
  return [...varint(bytes.length), ...bytes]
}

function varint(value: number): number[] {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  const bytes: number[] = []
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return [...bytes, rest]
}

function crc32c(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}

export interface Listed {
  batch: Uint8Array
  topic?: string
  partition?: number
  partitions?: number
  signature?: string | undefined
  signedAt?: number | undefined
}

/** The body of a request. */
export function request(listed: Listed[], writeKey = 'key'): Uint8Array<ArrayBuffer> {
  const batches = listed.map(
    ({ batch, topic = 'events', partition = 0, partitions = 1, signature, signedAt }) => {
      return { topic, partition, partitions, bytes: batch.length, uncertain: false, signature, signedAt }
    },
  )
  const line = encoder.encode(`${JSON.stringify({ v: 1, writeKey, sentAt: 1_700_000_000_000, batches })}\n`)
  return concat([line, ...listed.map(({ batch }) => batch)])
}

export function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const bytes of parts) {
    whole.set(bytes, at)
    at += bytes.length
  }
  return whole
}
