// The demo with its collector: `npm start`, or `npm start -- --port 8081 --collector-port 8080 --data ./data`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './lib/build.mjs'
import { ROOT, setup } from './lib/process.mjs'
import { serveFolder } from './lib/static.mjs'

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '8081' },
    'collector-port': { type: 'string', default: '8080' },
    data: { type: 'string', default: 'data' },
  },
})
const WRITE_KEY = 'demo'
const HOST = '127.0.0.1'

setup()
build()

const collectorUrl = `http://localhost:${options['collector-port']}`
const demoUrl = `http://localhost:${options.port}/`

const collector = startCollector()
let stopping = false
collector.once('exit', (code) => {
  if (stopping) return
  console.error(`start: the collector ended by itself (${code}); is port ${options['collector-port']} free?`)
  process.exit(1)
})
const demo = await serveFolder(join(ROOT, 'www', 'dist'), {
  host: HOST,
  port: Number(options.port),
  answers: {
    '/config.json': { endpoint: `${collectorUrl}/v1/batches`, collectorUrl, writeKey: WRITE_KEY },
  },
}).catch((error) => {
  console.error(`start: the demo cannot be served: ${error.message}`)
  collector.kill()
  process.exit(1)
})
await untilHealthy()

console.log(`
  The shop       ${demoUrl}
  The collector  ${collectorUrl}/
  Its store      ${join(ROOT, options.data)}

  Ctrl-C stops both.
`)

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)

function startCollector() {
  const address = ['--host', HOST, '--port', options['collector-port']]
  const args = ['collect', ...address, '--data', join(ROOT, options.data), '--write-key', WRITE_KEY]
  // A group of its own: ctrl-c reaches this process alone, which then stops the collector in good order.
  return spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  })
}

async function untilHealthy() {
  for (let attempt = 0; attempt < 100; attempt++) {
    const healthy = await fetch(`${collectorUrl}/healthz`).then(
      (response) => response.ok,
      () => false,
    )
    if (healthy) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  console.error('start: the collector does not answer')
  collector.kill()
  process.exit(1)
}

async function stop() {
  stopping = true
  demo.closeAllConnections()
  demo.close()
  if (collector.exitCode === null) {
    collector.kill('SIGTERM')
    await once(collector, 'exit')
  }
  console.log('stopped')
  process.exit(0)
}
