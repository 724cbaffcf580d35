/** The body of a request, inflated, within its limit. */

/** Why a body was not taken. */
export class BodyError extends Error {
  constructor(
    readonly status: 400 | 413,
    message: string,
  ) {
    super(message)
  }
}

/**
 * Reads a body of at most `limit` bytes, before and after it is decompressed. gzip is told by its first two bytes:
 * a simple request has no header to say it.
 */
export async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge(limit)
  if (request.body === null) return new Uint8Array()
  const body = await collect(request.body, limit)
  if (body[0] !== 0x1f || body[1] !== 0x8b) return body
  return inflated(body, limit)
}

async function inflated(body: Uint8Array<ArrayBuffer>, limit: number): Promise<Uint8Array> {
  const stream = new Blob([body]).stream().pipeThrough(new DecompressionStream('gzip'))
  try {
    return await collect(stream, limit)
  } catch (error) {
    if (error instanceof BodyError) throw error
    throw new BodyError(400, 'the body begins as gzip does, and cannot be decompressed')
  }
}

async function collect(stream: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.byteLength
    if (length > limit) {
      // The rest is of no interest, and neither is how its source takes that.
      reader.cancel().catch(() => undefined)
      throw tooLarge(limit)
    }
    chunks.push(value)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

function tooLarge(limit: number): BodyError {
  return new BodyError(413, `the request exceeds the limit of ${limit} bytes`)
}
