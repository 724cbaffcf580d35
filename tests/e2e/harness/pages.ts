import { createServer, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ENTRY = fileURLToPath(new URL('../pages/app.ts', import.meta.url))

/** Serves the test page: the published modules, bundled as an application would. What pages post goes to `post`. */
export class PageServer {
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(
    entry = ENTRY,
    post: (body: string) => Promise<void> = () => Promise.reject(new Error('nobody reads this')),
  ): Promise<PageServer> {
    const bundle = await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      write: false,
      target: 'es2022',
    })
    const script = bundle.outputFiles[0]?.text ?? ''
    const server = createServer((request, response) => {
      if (request.method === 'POST') {
        text(request)
          .then(post)
          .then(
            () => response.writeHead(204).end(),
            () => response.writeHead(500).end(),
          )
      } else if (request.url?.startsWith('/app.js')) {
        response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
      } else {
        const title = '<!doctype html><title>headwater e2e</title>'
        const script = request.url === '/empty' ? '' : '<script type="module" src="/app.js"></script>'
        response.writeHead(200, { 'content-type': 'text/html' }).end(title + script)
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the page server does not listen')
    return new PageServer(server, `http://127.0.0.1:${address.port}/`)
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
