import { createServer, type Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ENTRY = fileURLToPath(new URL('../pages/app.ts', import.meta.url))

/** Serves the test page: the published modules, bundled as an application would. */
export class PageServer {
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(entry = ENTRY): Promise<PageServer> {
    const bundle = await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      write: false,
      target: 'es2022',
    })
    const script = bundle.outputFiles[0]?.text ?? ''
    const server = createServer((request, response) => {
      if (request.url?.startsWith('/app.js')) {
        response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
      } else {
        const html =
          '<!doctype html><title>headwater e2e</title><script type="module" src="/app.js"></script>'
        response.writeHead(200, { 'content-type': 'text/html' }).end(html)
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
