/** Frames records for the wasm: one growing buffer, written in place, reused from call to call. */

/** What can be a key, a value or a header's value. */
export type Bytes = string | Uint8Array

/** One header: its key and its value. */
export type FrameHeader = readonly [string, Bytes | null]

const NULL = -1
const BYTES_MIN = 4_096
/** A buffer that has grown beyond this is not kept. */
const BYTES_KEPT = 4 << 20
const TWO_TO_32 = 2 ** 32
const encoder = new TextEncoder()

/** Records on their way into the wasm; the format stands with `Frame` in the Rust crate. */
export class Frames {
  private bytes = new Uint8Array(BYTES_MIN)
  private view = new DataView(this.bytes.buffer)
  private written = 0

  /** How many bytes were framed. */
  get length(): number {
    return this.written
  }

  /** What was framed, valid until the next record is; it stays framed. */
  get framed(): Uint8Array {
    return this.bytes.subarray(0, this.written)
  }

  /** Adds a record; `partition` -1 leaves the choice to the log. */
  add(
    partition: number,
    timestamp: number,
    key: Bytes | null,
    value: Bytes | null,
    headers: readonly FrameHeader[],
  ): void {
    this.reserve(12)
    const high = Math.floor(timestamp / TWO_TO_32)
    this.view.setInt32(this.written, partition, true)
    this.view.setUint32(this.written + 4, timestamp - high * TWO_TO_32, true)
    this.view.setInt32(this.written + 8, high, true)
    this.written += 12
    this.part(key)
    this.part(value)
    this.reserve(4)
    this.view.setUint32(this.written, headers.length, true)
    this.written += 4
    for (const [name, content] of headers) {
      this.part(name)
      this.part(content)
    }
  }

  /** What was framed, valid until the next record is: the call that takes it must copy it. */
  take(): Uint8Array {
    const { framed } = this
    this.written = 0
    if (this.bytes.length > BYTES_KEPT) this.use(new Uint8Array(BYTES_MIN))
    return framed
  }

  /** Forgets what was framed beyond `length` bytes. */
  truncate(length: number): void {
    this.written = length
  }

  private part(content: Bytes | null): void {
    if (content === null) {
      this.reserve(4)
      this.view.setInt32(this.written, NULL, true)
      this.written += 4
      return
    }
    // A UTF-16 unit takes three bytes of UTF-8 at most.
    const most = typeof content === 'string' ? content.length * 3 : content.byteLength
    this.reserve(4 + most)
    const start = this.written + 4
    let size = most
    if (typeof content === 'string') {
      size = encoder.encodeInto(content, this.bytes.subarray(start)).written
    } else {
      this.bytes.set(content, start)
    }
    this.view.setInt32(this.written, size, true)
    this.written = start + size
  }

  private reserve(more: number): void {
    if (this.written + more <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.written + more))
    grown.set(this.bytes.subarray(0, this.written))
    this.use(grown)
  }

  private use(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}
