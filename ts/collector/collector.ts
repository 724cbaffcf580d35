import { BodyError, readBody } from './body.ts'
import { openDiskStore } from './disk.ts'
import { Engine, type Reply } from './engine.ts'
import { type CollectorOptions, readOptions, type Settings } from './options.ts'
import { pageFile } from './page/index.ts'
import type { Store } from './store.ts'
import { instantiator } from './wasm.ts'

/**
 * Takes requests: a handler for Deno, Bun, Workers, or any server that speaks `Request` and `Response`. `info` is
 * what the runtime gives beside the request.
 */
export interface Collector {
  (request: Request, info?: unknown): Promise<Response>
  /** The handler once more, under the name that `export default` is asked for. */
  fetch(request: Request, info?: unknown): Promise<Response>
  /** Resolves when the store is open; rejects with the reason why it is not. */
  ready(): Promise<void>
  /** Ends the use of the store, once what is under way has ended. */
  close(): Promise<void>
}

/**
 * Makes a collector: `POST /v1/batches` takes what pages deliver, `GET /v1/topics` and
 * `GET /v1/topics/<topic>/records` read it back, `GET /` shows it to people, `GET /healthz` to machines.
 */
export function createCollector(options: CollectorOptions): Collector {
  const settings = readOptions(options)
  const routes = new Routes(settings)
  const handle = (request: Request, info?: unknown): Promise<Response> => routes.handle(request, info)
  return Object.assign(handle, { fetch: handle, ready: () => routes.ready(), close: () => routes.close() })
}

const INGEST = '/v1/batches'
const RECORDS = /^\/v1\/topics\/([^/]+)\/records$/
const CORS = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after' }
const PREFLIGHT = {
  'access-control-allow-methods': 'POST',
  'access-control-allow-headers': 'content-type',
  'access-control-max-age': '86400',
}

class Routes {
  private readonly engine: Engine

  constructor(private readonly settings: Settings) {
    this.engine = new Engine(settings, instantiator(settings.wasm), () => openStore(settings.store))
  }

  ready(): Promise<void> {
    return this.engine.ready()
  }

  close(): Promise<void> {
    return this.engine.close()
  }

  async handle(request: Request, info: unknown): Promise<Response> {
    const url = new URL(request.url)
    const response = await this.route(request, url, info).catch((error: unknown) => {
      this.settings.onError(error)
      return failure(500, 'Internal', 'INTERNAL', 'the collector failed', true)
    })
    if (url.pathname === INGEST) {
      for (const [name, value] of Object.entries(CORS)) response.headers.set(name, value)
    }
    return response
  }

  private async route(request: Request, url: URL, info: unknown): Promise<Response> {
    const { pathname } = url
    if (pathname === INGEST) return this.ingest(request, info)
    const page = pageFile(pathname)
    const records = RECORDS.exec(pathname)
    if (page === undefined && pathname !== '/healthz' && pathname !== '/v1/topics' && records === null) {
      return failure(404, 'Invalid', 'NOT_FOUND', 'there is nothing at this address', false)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod('GET, HEAD')
    if (page !== undefined) return page
    if (pathname === '/healthz') return this.health()
    if (!this.mayRead(request, url)) {
      const message = 'reading needs the read key: "authorization: Bearer <key>", or "?key=" at the page'
      return failure(401, 'Invalid', 'READ_KEY_REFUSED', message, false)
    }
    return records === null ? this.reply((native) => native.topics()) : this.records(records[1] ?? '', url)
  }

  private async ingest(request: Request, info: unknown): Promise<Response> {
    if (request.method === 'OPTIONS') return new Response(null, { status: 204, headers: PREFLIGHT })
    const { requestBytes, batchBytes } = this.settings.limits
    const now = Date.now()
    const envelope = { v: 1, time: now, limits: { requestBytes, batchBytes } }
    if (request.method !== 'POST') return wrongMethod('POST, OPTIONS', envelope)
    let body: Uint8Array
    try {
      body = await readBody(request, requestBytes)
    } catch (error) {
      if (!(error instanceof BodyError)) {
        return failure(400, 'Unavailable', 'INVALID_REQUEST', 'the body did not arrive whole', true, envelope)
      }
      const code = error.status === 413 ? 'MESSAGE_TOO_LARGE' : 'INVALID_REQUEST'
      return failure(error.status, 'Invalid', code, error.message, false, envelope)
    }
    const found: unknown = (this.settings.address ?? addressOf)(request, info)
    // The wasm would read what is no text as if it were.
    const address = typeof found === 'string' ? found : ''
    return this.reply((native) => native.batches(body, address, BigInt(now)), envelope)
  }

  private records(segment: string, url: URL): Promise<Response> | Response {
    const number = (name: string, fallback: bigint) => wholeNumber(url.searchParams.get(name), fallback)
    const [partition, offset, limit] = [number('partition', 0n), number('offset', 0n), number('limit', 100n)]
    const topic = decoded(segment)
    if (topic === undefined || partition === undefined || offset === undefined || limit === undefined) {
      const message = '"partition", "offset" and "limit" are whole numbers, and a topic is a name'
      return failure(400, 'Invalid', 'INVALID_REQUEST', message, false)
    }
    const within = (value: bigint) => Number(value < INT_MAX ? value : INT_MAX)
    return this.reply((native) => native.records(topic, within(partition), offset, within(limit)))
  }

  private async health(): Promise<Response> {
    try {
      await this.engine.ready()
    } catch {
      return failure(503, 'Unavailable', 'STORAGE_FAILED', 'the store cannot be opened', true)
    }
    return new Response('{"status":"ok"}', { headers: JSON_HEADERS })
  }

  private async reply(ask: Parameters<Engine['call']>[0], envelope: object = {}): Promise<Response> {
    let reply: Reply
    try {
      reply = await this.engine.call(ask)
    } catch {
      const message = 'the collector cannot answer at the moment'
      return failure(503, 'Unavailable', 'STORAGE_FAILED', message, true, envelope)
    }
    const { status, body, retryAfterMs } = reply
    const wait = retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
    return new Response(body, { status, headers: { ...JSON_HEADERS, ...wait } })
  }

  private mayRead(request: Request, url: URL): boolean {
    const { readKey } = this.settings
    if (readKey === undefined) return true
    // The name of the scheme is told in either case.
    const bearer = request.headers.get('authorization')?.replace(/^bearer /i, '')
    return [bearer, url.searchParams.get('key')].includes(readKey)
  }
}

const JSON_HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
}
const INT_MAX = 2n ** 31n - 1n

function failure(
  status: number,
  kind: string,
  code: string,
  message: string,
  retriable: boolean,
  envelope: object = {},
): Response {
  const wait = status === 503 ? { 'retry-after': '1' } : {}
  const body = JSON.stringify({ ...envelope, error: { kind, code, message, retriable } })
  return new Response(body, { status, headers: { ...JSON_HEADERS, ...wait } })
}

function wrongMethod(allowed: string, envelope: object = {}): Response {
  const message = `this address takes ${allowed}`
  const response = failure(405, 'Invalid', 'METHOD_NOT_ALLOWED', message, false, envelope)
  response.headers.set('allow', allowed)
  return response
}

/** A number as a query names it; `undefined` for anything else. */
function wholeNumber(text: string | null, fallback: bigint): bigint | undefined {
  if (text === null) return fallback
  return /^\d{1,18}$/.test(text) ? BigInt(text) : undefined
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

function openStore(store: Store | string | undefined): Promise<Store> {
  if (typeof store === 'string') return openDiskStore(store)
  return store === undefined ? Promise.reject(new Error('there is no store')) : Promise.resolve(store)
}

/** What runtimes give beside a request: Node by this package's own shell, Deno, Bun. */
interface Info {
  address?: string
  remoteAddr?: { hostname?: string }
  requestIP?: (request: Request) => { address: string } | null
}

/** The address that the runtime knows. */
function addressOf(request: Request, info: unknown): string | undefined {
  const { address, remoteAddr, requestIP } = (info ?? {}) as Info
  const bun = requestIP === undefined ? undefined : (info as Required<Info>).requestIP(request)?.address
  return address ?? remoteAddr?.hostname ?? bun ?? request.headers.get('cf-connecting-ip') ?? undefined
}
