/** The bytes of a record: a `Buffer` in Node, as in KafkaJS, and elsewhere a `Uint8Array` that reads as text like one. */
export interface MessageBytes extends Uint8Array {
  /** The text, which is taken for UTF-8. */
  toString(encoding?: string): string
}

interface BufferLike {
  from(buffer: ArrayBufferLike, offset: number, length: number): MessageBytes
}

const decoder = new TextDecoder()

/** What applications call on a `Buffer` most, so that `message.value.toString()` means the same in a page. */
class TextBytes extends Uint8Array<ArrayBufferLike> {
  override toString(encoding = 'utf8'): string {
    if (encoding === 'utf8' || encoding === 'utf-8') return decoder.decode(this)
    throw new RangeError(`Unknown encoding: ${encoding}; outside of Node there is UTF-8 alone`)
  }
}

/** A view on `length` of `bytes` from `start` on. */
export function view(bytes: Uint8Array, start: number, length: number): MessageBytes {
  const { Buffer: NodeBuffer } = globalThis as { Buffer?: BufferLike }
  const from = bytes.byteOffset + start
  if (NodeBuffer !== undefined) return NodeBuffer.from(bytes.buffer, from, length)
  return new TextBytes(bytes.buffer, from, length)
}

/** UTF-8 as text. */
export function text(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}
