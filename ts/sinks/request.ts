import { KafkaJSNonRetriableError } from '../kafka/errors.ts'
import type { DeliveryError } from '../native/types.ts'

/** How long a sink may take before the same bytes are tried again. */
const TIMEOUT_MS = 30_000

/** What a sink sends. */
export interface Request {
  url: string
  body: string | Uint8Array
  headers: HeadersInit
  keepalive: boolean
  signal: AbortSignal
  fetch: typeof globalThis.fetch | undefined
}

/** What it was answered. */
export interface Reply {
  ok: boolean
  body: string
  /** What the status alone says, where it is not one of success. */
  error: DeliveryError
  retryAfterMs: number | undefined
}

/** The address as text; without one, nothing would ever arrive, and nobody would know. */
export function addressOf(url: unknown): string {
  if (url instanceof URL || (typeof url === 'string' && url !== '')) return String(url)
  throw new KafkaJSNonRetriableError(`Invalid url of a sink, expected an address, received ${url}`)
}

/** Posts; rejects where there was no answer. */
export function post({ url, body, headers, keepalive, signal, fetch }: Request): Promise<Reply> {
  const send = fetch ?? globalThis.fetch
  return withTimeout(signal, async (limited) => {
    const response = await send(url, {
      method: 'POST',
      body: body as BodyInit,
      headers,
      // No cookies of the receiver's site: credentials are in the body.
      credentials: 'omit',
      cache: 'no-store',
      keepalive,
      signal: limited,
    })
    const { status, ok } = response
    const retriable = status >= 500 || status === 429 || status === 408
    const error = { code: `HTTP_${status}`, message: `${url} answered with status ${status}`, retriable }
    const retryAfterMs = waitOf(response.headers.get('retry-after'))
    return { ok, body: await response.text(), error, retryAfterMs }
  })
}

/** Runs `work` until it ends, `signal` is aborted, or time is up; it is given up then whether it listens or not. */
export function withTimeout<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController()
    const end = (reason: Error) => {
      controller.abort(reason)
      reject(reason)
    }
    const stopped = () => end(new Error('the forwarder was stopped'))
    const timer = setTimeout(() => end(new Error(`there was no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stopped)
    }
    signal.addEventListener('abort', stopped)
    if (signal.aborted) stopped()
    work(controller.signal).then(resolve, reject).finally(done)
  })
}

/** `Retry-After` in milliseconds: it is a number of seconds, or a date. */
function waitOf(header: string | null): number | undefined {
  if (header === null) return undefined
  const seconds = Number(header)
  const wait = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - Date.now()
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined
}
