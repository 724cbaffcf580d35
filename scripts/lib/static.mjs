import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.wasm': 'application/wasm',
}

/** Serves the files of a folder, and some JSON answers besides; resolves when the server listens. */
export function serveFolder(folder, { host, port, answers = {} }) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    const answer = answers[pathname]
    if (answer !== undefined) {
      response.writeHead(200, { 'content-type': TYPES['.json'], 'cache-control': 'no-store' })
      response.end(JSON.stringify(answer))
      return
    }
    const file = fileOf(folder, pathname)
    if (file === undefined) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n')
      return
    }
    const type = TYPES[extname(file)] ?? 'application/octet-stream'
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-cache' })
    createReadStream(file).pipe(response)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => resolve(server))
  })
}

function fileOf(folder, pathname) {
  let path
  try {
    path = normalize(join(folder, decodeURIComponent(pathname)))
  } catch {
    return undefined
  }
  if (path !== folder && !path.startsWith(folder + sep)) return undefined
  for (const candidate of [path, join(path, 'index.html')]) {
    if (statSync(candidate, { throwIfNoEntry: false })?.isFile()) return candidate
  }
  return undefined
}
