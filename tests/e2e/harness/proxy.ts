import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

/** What the network does to a request: passes it, swallows it, or swallows its answer. */
export type Fault = 'none' | 'dropRequest' | 'dropResponse'

/** A proxy before the collector that loses what a test tells it to lose. */
export class FaultProxy {
  private readonly server: Server
  /** Decides over each request; replaced by tests. */
  fault: () => Fault = () => 'none'
  /** Called when the collector has answered, before the answer is passed on. */
  onAnswer: () => void = () => undefined
  requests = 0
  dropped = 0
  /** The sizes of what was posted, in bytes. */
  readonly bodies: number[] = []

  private constructor(private readonly target: string) {
    this.server = createServer((request, response) => void this.pass(request, response))
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    const address = this.server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen')
    return `http://127.0.0.1:${address.port}`
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private async pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1
    const fault = this.fault()
    if (fault !== 'none') this.dropped += 1
    if (fault === 'dropRequest') {
      response.destroy()
      return
    }
    try {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      if (request.method === 'POST') this.bodies.push(chunks.reduce((sum, { length }) => sum + length, 0))
      const method = request.method ?? 'GET'
      const headers: Record<string, string> = {}
      for (const name of ['content-type', 'origin']) {
        const value = request.headers[name]
        if (typeof value === 'string') headers[name] = value
      }
      const body = method === 'GET' || method === 'HEAD' ? null : Buffer.concat(chunks)
      const answer = await fetch(this.target + (request.url ?? '/'), { method, headers, body })
      const bytes = Buffer.from(await answer.arrayBuffer())
      this.onAnswer()
      if (fault === 'dropResponse') {
        response.destroy()
        return
      }
      const passed: Record<string, string> = {}
      answer.headers.forEach((value, name) => {
        if (!['content-encoding', 'content-length', 'transfer-encoding', 'connection'].includes(name))
          passed[name] = value
      })
      response.writeHead(answer.status, passed).end(bytes)
    } catch {
      response.destroy()
    }
  }
}
