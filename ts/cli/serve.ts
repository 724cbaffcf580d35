import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIPv6 } from 'node:net'
import { Readable } from 'node:stream'

/** Answers a request; `info.address` is where it comes from. */
export type Handler = (request: Request, info: { address?: string }) => Promise<Response>

/** A server that listens. */
export interface Served {
  readonly url: string
  /** Takes no more requests, and resolves when those under way have been answered. */
  close(): Promise<void>
}

/** How long a client may take to send a request, in milliseconds. */
const REQUEST_MS = 60_000
/** How long requests under way are waited for when the server closes. */
const GRACE_MS = 10_000

/** Serves a handler by Node's own HTTP server. */
export async function serve(
  handler: Handler,
  { port, host }: { port: number; host: string },
): Promise<Served> {
  let closing = false
  const server = createServer((message, answer) => {
    respond(handler, message, answer, () => closing).catch(() => answer.destroy())
  })
  server.requestTimeout = REQUEST_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const address = server.address()
  const taken = address !== null && typeof address === 'object' ? address.port : port
  return {
    url: `http://${shown(host)}:${taken}`,
    close: () =>
      new Promise<void>((resolve) => {
        closing = true
        server.close(() => resolve())
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), GRACE_MS).unref()
      }),
  }
}

async function respond(
  handler: Handler,
  message: IncomingMessage,
  answer: ServerResponse,
  closing: () => boolean,
): Promise<void> {
  const address = message.socket.remoteAddress
  const response = await handler(toRequest(message), address === undefined ? {} : { address })
  const body = Buffer.from(await response.arrayBuffer())
  // A body that nobody reads to its end cannot be followed by another request.
  if (!message.complete || closing()) answer.setHeader('connection', 'close')
  answer.writeHead(response.status, {
    ...Object.fromEntries(response.headers),
    'content-length': body.length,
  })
  answer.end(body)
}

function toRequest(message: IncomingMessage): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  const { method = 'GET', url = '/' } = message
  const bodiless = method === 'GET' || method === 'HEAD'
  const body = bodiless ? null : (Readable.toWeb(message) as ReadableStream<Uint8Array>)
  // The path alone: what a client says of itself in "host" decides nothing here.
  const target = new URL(url.startsWith('/') ? `http://collector${url}` : '/', 'http://collector')
  return new Request(target, { method, headers, body, duplex: 'half' } as RequestInit)
}

function shown(host: string): string {
  if (host === '127.0.0.1' || host === '0.0.0.0' || host === '::') return 'localhost'
  return isIPv6(host) ? `[${host}]` : host
}
