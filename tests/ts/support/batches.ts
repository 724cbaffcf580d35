import type { WireBatch } from '../../../ts/native/types.ts'

const encoder = new TextEncoder()

/** A wire batch as the wasm hands it over, without the bytes that only a collector reads. */
export function wireBatch(fields: Partial<WireBatch> = {}): WireBatch {
  return {
    topic: 'events',
    partition: 0,
    partitions: 1,
    bytes: Uint8Array.of(1, 2, 3),
    producerId: 2n ** 61n + 1n,
    epoch: 0,
    baseSequence: 0,
    firstOffset: 0n,
    lastOffset: 0n,
    uncertain: false,
    signature: new Uint8Array(),
    signedAt: 0,
    count: 1,
    ...fields,
  }
}

/** A record of a batch: its key, its value, and its headers as text or bytes. */
export interface BatchRecord {
  key: string | null
  value: string | null
  timestamp?: number
  headers?: [string, string | Uint8Array][]
}

/** A wire batch that can be decoded. */
export function decodedBatch(records: BatchRecord[], fields: Partial<WireBatch> = {}): WireBatch {
  const bytes: number[] = []
  const index = records.flatMap(({ key, value, timestamp = 5, headers = [] }, position) => {
    const put = (part: Uint8Array | number[]) => bytes.push(...part) - part.length
    const place = (text: string | null) => {
      const content = encoder.encode(text ?? '')
      return [put(content), text === null ? -1 : content.length]
    }
    const parts = [...place(key), ...place(value)]
    return [position, timestamp, ...parts, put(headers.flatMap(encodeHeader)), headers.length]
  })
  const last = (fields.firstOffset ?? 0n) + BigInt(records.length - 1)
  return wireBatch({
    bytes: Uint8Array.from(bytes),
    index: Float64Array.from(index),
    count: records.length,
    lastOffset: last,
    ...fields,
  })
}

/** Short lengths are one byte of zigzag varint. */
function encodeHeader([key, value]: [string, string | Uint8Array]): number[] {
  const content = typeof value === 'string' ? encoder.encode(value) : value
  return [key.length * 2, ...encoder.encode(key), content.length * 2, ...content]
}
