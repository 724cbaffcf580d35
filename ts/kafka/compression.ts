import { KafkaJSNotImplemented } from './errors.ts'

/** How records may be compressed. */
export const CompressionTypes = { None: 0, GZIP: 1, Snappy: 2, LZ4: 3, ZSTD: 4 } as const

/** Compresses and decompresses, as a codec of KafkaJS does. */
export interface CompressionCodec {
  compress(encoder: { buffer: Uint8Array }): Promise<Uint8Array>
  decompress(bytes: Uint8Array): Promise<Uint8Array>
}

/**
 * The codecs by compression type. GZIP is the platform's own; another is used once it is put here:
 * `CompressionCodecs[CompressionTypes.ZSTD] = () => codec`.
 */
export const CompressionCodecs: { [type: number]: () => CompressionCodec } = {
  [CompressionTypes.GZIP]: () => ({
    compress: ({ buffer }) => piped(buffer, new CompressionStream('gzip')),
    decompress: (bytes) => piped(bytes, new DecompressionStream('gzip')),
  }),
}

async function piped(
  bytes: Uint8Array,
  through: CompressionStream | DecompressionStream,
): Promise<Uint8Array> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(through)
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/**
 * The codec of a compression type; none is needed for type 0.
 * @throws KafkaJSNotImplemented where none is registered
 */
export function codecOf(type: number = CompressionTypes.None): CompressionCodec | undefined {
  if (type === CompressionTypes.None) return undefined
  const codec = CompressionCodecs[type]
  if (codec !== undefined) return codec()
  const name = Object.entries(CompressionTypes).find(([, number]) => number === type)?.[0]
  const message =
    name === undefined
      ? `There is no compression ${type}`
      : `${name} compression not implemented: register a codec, CompressionCodecs[CompressionTypes.${name}] = () => codec`
  throw new KafkaJSNotImplemented(message)
}
