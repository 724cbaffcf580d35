import { mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type CollectorOptions, createCollector } from '../collector/index.ts'
import { type Served, serve } from './serve.ts'
import { UsageError } from './usage.ts'

const USAGE = `headwater collect [options]

  --port N              listens there                          (8080; 0 takes a free one)
  --host ADDRESS        listens for this address only          (127.0.0.1)
  --data FOLDER         keeps the log there                    (./data)
  --write-key KEY       takes this key; may be repeated        (every key)
  --topic NAME[:N]      has this topic, with N partitions; may be repeated
                                                               (topics are created as they come)
  --read-key KEY        asked of those who read records        (anybody may read)
  --address-header NAME names the sender's address, where a proxy stands before the collector
  --help                says this

The environment variable HEADWATER_SECRET signs registrations; collectors behind one balancer need the same.
`

const OPTIONS = {
  port: { type: 'string', default: '8080' },
  host: { type: 'string', default: '127.0.0.1' },
  data: { type: 'string', default: './data' },
  'write-key': { type: 'string', multiple: true },
  topic: { type: 'string', multiple: true },
  'read-key': { type: 'string' },
  'address-header': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Serves a collector until it is told to stop. */
export async function collect(args: string[]): Promise<void> {
  const values = parse(args)
  if (values.help === true) {
    process.stdout.write(USAGE)
    return
  }
  const port = Number(values.port)
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535) throw usage(`"${values.port}" is no port`)
  const folder = resolve(values.data)
  let ready = false
  // Until it is ready, what goes wrong is thrown, and said by whoever catches it.
  const onError = (error: unknown) => (ready ? report(error) : undefined)
  const collector = makeCollector({ ...readOptions(values), store: folder, onError })
  await mkdir(folder, { recursive: true })
  await collector.ready()
  ready = true
  let served: Served
  try {
    served = await serve(collector, { port, host: values.host })
  } catch (error) {
    await collector.close()
    throw explained(error, values.host, port)
  }
  announce(served.url, folder, values)
  await stopped()
  await served.close()
  await collector.close()
  console.log('stopped')
}

type Values = ReturnType<typeof parse>

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values
  } catch (error) {
    throw usage(error instanceof Error ? error.message : String(error))
  }
}

function readOptions(values: Values): CollectorOptions {
  const { 'write-key': writeKeys, 'read-key': readKey, 'address-header': header, topic } = values
  const secret = process.env['HEADWATER_SECRET']
  return {
    ...(writeKeys === undefined ? {} : { writeKeys }),
    ...(readKey === undefined ? {} : { readKey }),
    ...(topic === undefined ? {} : { topics: topic.map(readTopic) }),
    ...(secret === undefined ? {} : { secret }),
    ...(header === undefined ? {} : { address: (request) => lastAddress(request.headers.get(header)) }),
  }
}

function makeCollector(options: CollectorOptions) {
  try {
    return createCollector(options)
  } catch (error) {
    if (error instanceof TypeError) throw usage(error.message.replace(/^createCollector: /, ''))
    throw error
  }
}

function readTopic(text: string): { topic: string; partitions: number } {
  const [topic = '', partitions = '1', ...rest] = text.split(':')
  if (rest.length > 0 || !/^\d+$/.test(partitions))
    throw usage(`--topic takes NAME or NAME:PARTITIONS, not "${text}"`)
  return { topic, partitions: Number(partitions) }
}

/** Proxies append what they see: the last one is what the nearest saw, and those before it anybody may have made up. */
function lastAddress(value: string | null): string | undefined {
  return (value ?? '').split(',').at(-1)?.trim()
}

function announce(
  url: string,
  folder: string,
  { 'write-key': keys, 'read-key': readKey, host }: Values,
): void {
  const open = readKey === undefined && !isLoopback(host)
  console.log(`
  Pages deliver to  ${url}/v1/batches
  Look at           ${url}/${readKey === undefined ? '' : '?key=<the read key>'}
  The log           ${folder}
  Write keys        ${keys === undefined ? 'every key is taken' : keys.join(', ')}
${open ? '\n  Anybody who reaches this address can read what is collected: --read-key limits that.\n' : ''}
  Ctrl-C stops it.
`)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Resolves at ctrl-c, or when the process is asked to end. A second ctrl-c ends it at once. */
function stopped(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(130)
        asked = true
        resolve()
      })
    }
  })
}

let lastReport = ''

/** Says what goes wrong on this side; what goes wrong again and again is said once. */
function report(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  if (message !== lastReport) console.error(`headwater: ${message}`)
  lastReport = message
}

function explained(error: unknown, host: string, port: number): unknown {
  const code = (error as { code?: string }).code
  if (code === 'EADDRINUSE') return new Error(`port ${port} is taken: name another with --port`)
  if (code === 'EACCES')
    return new Error(`port ${port} needs more rights than this user has: name another with --port`)
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new Error(`this machine has no address "${host}"`)
  return error
}

function usage(message: string): UsageError {
  return new UsageError(message, USAGE)
}
