import { text } from '../native/bytes.ts'
import type { MessageHeaders } from '../native/messages.ts'
import type { Sink } from '../native/types.ts'
import { type ForwardedRecord, recordsOf } from './records.ts'
import { addressOf, post } from './request.ts'

/** How an HTTP endpoint of one's own is reached. */
export interface HttpSinkOptions {
  /** Where the records are posted to. */
  url: string | URL
  /** Sent with each request. A content type other than `text/plain`, the default, costs a preflight on another origin. */
  headers?: Record<string, string>
  /** Sends the requests. Default: the realm's own. */
  fetch?: typeof globalThis.fetch
  /**
   * Identifies the sink over reloads: a topic goes to one sink. Default its address; where that changes, name the one
   * that it had at first.
   */
  name?: string
}

/**
 * Posts records as JSON, at least once: `{ records: [...] }`, each with its identity, so that the receiver can drop
 * what it has seen. Keys, values and headers are text. A status of 200 to 299 takes all of them; 408, 429 and 500 to
 * 599 are tried again soon, any other once somebody may have had a look.
 */
export function httpSink(target: string | URL | HttpSinkOptions): Sink {
  const options = typeof target === 'string' || target instanceof URL ? { url: target } : target
  const { fetch } = options
  const url = addressOf(options.url)
  const headers = new Headers(options.headers)
  if (!headers.has('content-type')) headers.set('content-type', 'text/plain')
  return {
    id: `http:${options.name ?? url}`,
    decode: true,
    async deliver(batches, { keepalive, signal }) {
      const body = JSON.stringify({ records: batches.flatMap(recordsOf).map(readable) })
      const { ok, error, retryAfterMs } = await post({ url, body, headers, keepalive, signal, fetch })
      return ok
        ? { answers: batches.map(() => ({ result: 'accepted' })) }
        : { answers: [], error, retryAfterMs }
    },
  }
}

function readable({ key, value, headers, ...rest }: ForwardedRecord): object {
  return { ...rest, key: key && text(key), value: value && text(value), headers: readableHeaders(headers) }
}

function readableHeaders(headers: MessageHeaders): object {
  const entries = Object.entries(headers).map(([name, value = null]) => [
    name,
    Array.isArray(value) ? value.map(text) : value && text(value),
  ])
  return Object.fromEntries(entries)
}
