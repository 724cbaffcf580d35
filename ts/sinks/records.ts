import type { MessageBytes } from '../native/bytes.ts'
import { type MessageHeaders, messageAt } from '../native/messages.ts'
import type { WireBatch } from '../native/types.ts'

/** A record as a sink of one's own gets it. `topic`, `partition` and `offset` identify it within one log. */
export interface ForwardedRecord {
  topic: string
  partition: number
  /** The offset in the local log, as a decimal string. */
  offset: string
  /** The delivery's identity: under one producer id, epoch and sequence there is one record. */
  producerId: string
  epoch: number
  sequence: number
  /** Names the record for ever, whatever becomes of the log: hexadecimal. */
  hwId: string
  /** True where it may have been delivered before under another identity. */
  uncertain: boolean
  /** Milliseconds since 1970. */
  timestamp: number
  key: MessageBytes | null
  value: MessageBytes | null
  /** The application's headers. */
  headers: MessageHeaders
}

/** Sequences count in 31 bits, as in Kafka. */
const SEQUENCES = 2 ** 31

/** The records of a batch that was delivered with its index. */
export function recordsOf(batch: WireBatch): ForwardedRecord[] {
  const { topic, partition, bytes, index, firstOffset, producerId, epoch, baseSequence, count } = batch
  if (index === undefined) return []
  const found = { bytes, index, baseOffset: firstOffset }
  return Array.from({ length: count }, (_item, position) => {
    const { offset, timestamp, key, value, headers } = messageAt(found, position)
    const { 'hw-id': id, 'hw-timestamp': _time, 'hw-uncertain': uncertain, ...own } = headers
    return {
      topic,
      partition,
      offset,
      producerId: String(producerId),
      epoch,
      sequence: (baseSequence + position) % SEQUENCES,
      hwId: hex(id),
      uncertain: uncertain !== undefined,
      timestamp: Number(timestamp),
      key,
      value,
      headers: own,
    }
  })
}

function hex(bytes: MessageBytes | MessageBytes[] | undefined): string {
  const last = Array.isArray(bytes) ? bytes.at(-1) : bytes
  return Array.from(last ?? [], (byte) => byte.toString(16).padStart(2, '0')).join('')
}
