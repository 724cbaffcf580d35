import { type MessageBytes, text, view } from './bytes.ts'
import type { Fetched } from './types.ts'

/** The headers of a record. One that occurs more than once is an array; one without a value is undefined. */
export interface MessageHeaders {
  [key: string]: MessageBytes | MessageBytes[] | undefined
}

/** A record as KafkaJS shows it. Key, value and headers are views on one copy of the fetched batches. */
export interface KafkaMessage {
  key: MessageBytes | null
  value: MessageBytes | null
  /** Milliseconds since 1970, as a decimal string. */
  timestamp: string
  attributes: number
  /** The place in the partition, as a decimal string. */
  offset: string
  headers: MessageHeaders
  magicByte: 2
}

/** The records' bytes, the eight numbers of each, and what their offsets count from. */
export type Indexed = Pick<Fetched, 'bytes' | 'index' | 'baseOffset'>

/** Numbers a record. */
const STRIDE = 8

/** The record at `position`. Nothing is decoded but the headers, which few records have. */
export function messageAt(found: Indexed, position: number): KafkaMessage {
  const { bytes, index } = found
  const number = (field: number) => index[position * STRIDE + field] ?? 0
  return {
    key: part(bytes, number(2), number(3)),
    value: part(bytes, number(4), number(5)),
    timestamp: String(number(1)),
    attributes: 0,
    offset: offsetText(found, position),
    headers: readHeaders(bytes, number(6), number(7)),
    magicByte: 2,
  }
}

/** The offset of the record at `position`. */
export function offsetAt(found: Indexed, position: number): bigint {
  return found.baseOffset + BigInt(found.index[position * STRIDE] ?? 0)
}

/** The same as text; numbers are several times as fast as bigints. */
function offsetText(found: Indexed, position: number): string {
  const offset = Number(found.baseOffset) + (found.index[position * STRIDE] ?? 0)
  return Number.isSafeInteger(offset) ? String(offset) : String(offsetAt(found, position))
}

function part(bytes: Uint8Array, start: number, length: number): MessageBytes | null {
  return length < 0 ? null : view(bytes, start, length)
}

/** Headers in Kafka's encoding: varint key length, key, varint value length (-1 is null), value. */
function readHeaders(bytes: Uint8Array, start: number, count: number): MessageHeaders {
  const headers: MessageHeaders = {}
  if (count === 0) return headers
  let at = start
  const varint = (): number => {
    let raw = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
  }
  const take = (length: number): MessageBytes => {
    at += length
    return view(bytes, at - length, length)
  }
  for (let index = 0; index < count; index++) {
    const key = text(take(varint()))
    const length = varint()
    put(headers, key, length < 0 ? undefined : take(length))
  }
  return headers
}

function put(headers: MessageHeaders, key: string, value: MessageBytes | undefined): void {
  const known = Object.hasOwn(headers, key) ? headers[key] : undefined
  const several = known === undefined || value === undefined ? undefined : [known, value].flat()
  // A header may be called __proto__.
  const property = { value: several ?? value ?? known, enumerable: true, writable: true, configurable: true }
  Object.defineProperty(headers, key, property)
}
