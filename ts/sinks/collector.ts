import type { Delivery, DeliveryAnswer, DeliveryError, Sink, WireBatch } from '../native/types.ts'
import { fromBase64Url, toBase64Url } from './base64.ts'
import { addressOf, post, type Reply } from './request.ts'

/** How a collector is reached. */
export interface CollectorSinkOptions {
  /** The collector's address, such as `https://collect.example.com/v1/batches`. */
  url: string | URL
  /** The collector's write key. Default `''`. */
  writeKey?: string
  /** Sends the requests. Default: the realm's own. */
  fetch?: typeof globalThis.fetch
  /**
   * Identifies the sink over reloads: a topic goes to one sink. Default its address; where that changes, name the one
   * that it had at first.
   */
  name?: string
}

const COMPRESS_FROM_BYTES = 1_024
const encoder = new TextEncoder()

/** Delivers to a headwater collector, exactly once; `docs/protocol.md` specifies the request and the answer. */
export function collectorSink(target: string | URL | CollectorSinkOptions): Sink {
  const options = typeof target === 'string' || target instanceof URL ? { url: target } : target
  const { writeKey = '', fetch } = options
  const url = addressOf(options.url)
  return {
    id: `collector:${options.name ?? url}`,
    async deliver(batches, { keepalive, signal }) {
      const plain = encode(batches, writeKey)
      // A page that is going away may not live to see the compressor's end.
      const body = keepalive ? plain : await compressed(plain)
      // A simple request: any other type would cost a preflight.
      const headers = { 'content-type': 'text/plain' }
      return decode(await post({ url, body, headers, keepalive, signal, fetch }))
    },
  }
}

/** One line of JSON, then the batches, one after another. */
function encode(batches: WireBatch[], writeKey: string): Uint8Array {
  const envelope = { v: 1, writeKey, sentAt: Date.now(), batches: batches.map(describe) }
  const line = encoder.encode(`${JSON.stringify(envelope)}\n`)
  const body = new Uint8Array(batches.reduce((total, { bytes }) => total + bytes.byteLength, line.length))
  body.set(line)
  let at = line.length
  for (const { bytes } of batches) {
    body.set(bytes, at)
    at += bytes.byteLength
  }
  return body
}

function describe({
  topic,
  partition,
  partitions,
  bytes,
  uncertain,
  signature,
  signedAt,
}: WireBatch): object {
  const signed = signature.length > 0 ? { signature: toBase64Url(signature), signedAt } : {}
  return { topic, partition, partitions, bytes: bytes.byteLength, uncertain, ...signed }
}

async function compressed(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length < COMPRESS_FROM_BYTES || typeof CompressionStream === 'undefined') return bytes
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** The collector's answer, as far as it is one. */
interface Answer {
  error?: DeliveryError
  answers?: (Omit<DeliveryAnswer, 'signature'> & { signature?: string })[]
  time?: number
  limits?: { requestBytes?: number; batchBytes?: number }
}

function decode({ ok, body, error, retryAfterMs }: Reply): Delivery {
  const answer = parse(body)
  const about = { retryAfterMs, time: answer.time, ...answer.limits }
  // Something else than a collector may have answered: a proxy, a login page, an error of the host.
  if (!Array.isArray(answer.answers)) {
    const message = ok
      ? `${error.message}, and not as a collector does: is it the right address?`
      : error.message
    return { answers: [], error: answer.error ?? { ...error, message }, ...about }
  }
  const answers = answer.answers.map(({ signature, ...rest }) => ({
    ...rest,
    ...(signature === undefined ? {} : { signature: fromBase64Url(signature) }),
  }))
  return { answers, ...about }
}

function parse(body: string): Answer {
  try {
    return Object(JSON.parse(body))
  } catch {
    return {}
  }
}
