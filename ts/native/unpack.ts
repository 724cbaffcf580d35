/** An `.lzma` file: the length of what is packed is a number in its header, and the stream begins with a zero. */
const LENGTH_AT = 5
const CODE_AT = 14
const REST_AT = 18
/** How many probabilities scripts/lib/unpack.wat has; each takes two bytes, and is even at first. */
const PROBABILITIES = 7332
const EVEN = 1024
const PAGE = 0x10000

interface Unpacker {
  readonly memory: WebAssembly.Memory
  unpack(start: number, end: number, code: number, rest: number): void
}

/** What was packed by LZMA, both in base64. It is undone by a wasm of its own: see scripts/lib/unpack.wat. */
export async function unpack(packed: string, unpacker: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = decode(packed)
  const header = new DataView(file.buffer)
  const length = header.getUint32(LENGTH_AT, true)
  const { instance } = await WebAssembly.instantiate(decode(unpacker))
  const { memory, unpack } = instance.exports as unknown as Unpacker
  const from = PROBABILITIES * 2
  // The byte before the first one counts as zero.
  const start = from + file.length + 1
  memory.grow(Math.ceil((start + length) / PAGE) - 1)
  new Uint16Array(memory.buffer, 0, PROBABILITIES).fill(EVEN)
  new Uint8Array(memory.buffer).set(file, from)
  unpack(start, start + length, header.getUint32(CODE_AT), from + REST_AT)
  return new Uint8Array(memory.buffer as ArrayBuffer, start, length)
}

/** In a loop: `Uint8Array.from` takes several times as long. */
function decode(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64)
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index)
  return bytes
}
