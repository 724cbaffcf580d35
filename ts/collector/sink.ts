/** A collector before a function of the application's: records with their identity, at least once. */

/** A record, and what identifies it. */
export interface CollectedRecord {
  topic: string
  partition: number
  /**
   * Under one producer id, epoch and sequence of a topic's partition there is one record, which may come again: a
   * receiver that remembers the last sequence of each has each record once.
   */
  producerId: string
  epoch: number
  sequence: number
  /** Names the record for ever, whatever becomes of the log that it comes from: 24 hexadecimal digits. */
  hwId: string
  /** True where the record may have come before under another producer id or epoch. */
  uncertain: boolean
  /** Milliseconds since 1970. */
  timestamp: number
  key: Uint8Array | null
  value: Uint8Array | null
  /** The application's headers, in order; a key may repeat. */
  headers: [key: string, value: Uint8Array | null][]
}

/** A batch that no log can take: it is over the limit, or no valid record batch. */
export interface DeadLetter {
  topic: string
  partition: number
  producerId: string
  epoch: number
  /** Of the batch's first record. */
  sequence: number
  /** The batch as it arrived. */
  bytes: Uint8Array
  error: { kind: string; code: string; message: string }
}

/**
 * Takes the records of one request. They are acknowledged when it resolves; when it rejects, the page sends the
 * same records again. It may be called for one request while it still works on another.
 */
export type CollectorSink = (records: CollectedRecord[]) => Promise<void> | void

/** Takes what no log can take. It is acknowledged when it resolves. */
export type DeadLetterSink = (letters: DeadLetter[]) => Promise<void> | void

/** A batch as the wasm hands it over. */
export interface NativeBatch {
  topic: string
  partition: number
  producerId: bigint
  epoch: number
  baseSequence: number
  bytes: Uint8Array
  /** Eight numbers a record that say where its parts lie. */
  index: Float64Array
  count: number
}

/** A dead letter as the wasm hands it over. */
export interface NativeLetter extends Omit<NativeBatch, 'index' | 'count'> {
  error: Error & { kind: string; code: string }
}

const STRIDE = 8
const SEQUENCES = 2 ** 31
const decoder = new TextDecoder()

/** The records of a batch. */
export function recordsOf(batch: NativeBatch): CollectedRecord[] {
  return Array.from({ length: batch.count }, (_, position) => {
    const at = position * STRIDE
    const number = (field: number) => batch.index[at + field] ?? 0
    const part = (field: number) => slice(batch.bytes, number(field), number(field + 1))
    const headers = readHeaders(batch.bytes, number(6), number(7))
    const own = new Map(headers.filter(([key]) => key.startsWith('hw-')))
    return {
      topic: batch.topic,
      partition: batch.partition,
      producerId: String(batch.producerId),
      epoch: batch.epoch,
      sequence: (batch.baseSequence + number(0)) % SEQUENCES,
      hwId: hex(own.get('hw-id') ?? new Uint8Array()),
      uncertain: own.has('hw-uncertain'),
      timestamp: number(1),
      key: part(2),
      value: part(4),
      headers: headers.filter(([key]) => !OURS.has(key)),
    }
  })
}

const OURS: ReadonlySet<string> = new Set(['hw-id', 'hw-timestamp', 'hw-uncertain'])

/** A dead letter as the application gets it. */
export function letterOf({ producerId, baseSequence, error, ...letter }: NativeLetter): DeadLetter {
  const { kind, code, message } = error
  return { ...letter, producerId: String(producerId), sequence: baseSequence, error: { kind, code, message } }
}

function slice(bytes: Uint8Array, start: number, length: number): Uint8Array | null {
  return length < 0 ? null : bytes.subarray(start, start + length)
}

/** Headers in Kafka's encoding: varint key length, key, varint value length (-1 is null), value. */
function readHeaders(bytes: Uint8Array, start: number, count: number): CollectedRecord['headers'] {
  let at = start
  const varint = (): number => {
    let raw = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0
      raw |= (byte & 0x7f) << shift
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1)
    }
  }
  const part = (): Uint8Array | null => {
    const length = varint()
    const found = slice(bytes, at, length)
    at += found?.length ?? 0
    return found
  }
  return Array.from({ length: count }, () => {
    const key = decoder.decode(part() ?? new Uint8Array())
    return [key, part()]
  })
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
