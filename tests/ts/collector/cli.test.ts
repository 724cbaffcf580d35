import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { serve } from '../../../ts/cli/serve.ts'
import { request, wire } from './wire.ts'

const ROOT = join(import.meta.dirname, '../../..')
const COMMAND = ['--import', './scripts/lib/typescript.mjs', './ts/cli/index.ts']

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-cli-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

function run(...args: string[]) {
  const child = spawn(process.execPath, [...COMMAND, ...args], { cwd: ROOT })
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk) => {
    said.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    said.err += chunk
  })
  const ended = new Promise<{ code: number | null } & typeof said>((resolve) => {
    child.once('close', (code) => resolve({ code, ...said }))
  })
  const url = new Promise<string>((resolve) => {
    child.stdout.on('data', () => {
      const [address] = /http:\/\/[^/\s]+:\d+/.exec(said.out) ?? []
      if (address !== undefined) resolve(address)
    })
  })
  return { child, ended, url }
}

test('says how it is used', async () => {
  const [bare, help, version] = await Promise.all([
    run().ended,
    run('collect', '--help').ended,
    run('--version').ended,
  ])
  expect([bare.code, help.code, version.code]).toEqual([0, 0, 0])
  expect(bare.out).toMatch(/headwater collect/)
  expect(help.out).toMatch(/--write-key KEY/)
  expect(version.out).toMatch(/^\d+\.\d+\.\d+/)
})

test('what cannot be is refused with the usage, and nothing is created', async () => {
  const data = join(folder, 'data')
  const cases: [string[], RegExp][] = [
    [['tail'], /there is no command "tail"/],
    [['collect', '--port', '99999'], /"99999" is no port/],
    [['collect', '--colour'], /--colour/],
    [['collect', 'now'], /now/],
    [['collect', '--data', data, '--topic', 'a/b'], /"a\/b" is no topic/],
    [['collect', '--data', data, '--topic', 'events:many'], /NAME:PARTITIONS/],
    [['collect', '--data', data, '--topic', 'events:0'], /cannot have 0 partitions/],
    [['collect', '--data', data, '--write-key', ''], /"writeKeys"/],
  ]
  for (const { code, err, message } of await Promise.all(
    cases.map(async ([args, message]) => ({ ...(await run(...args).ended), message })),
  )) {
    expect(code).toBe(2)
    expect(err).toMatch(message)
    expect(err).toMatch(/headwater collect/)
  }
  expect(await readdir(folder)).toEqual([])
})

test('serves until it is told to stop, and finishes what runs', async () => {
  const data = join(folder, 'deep', 'data')
  const { child, ended, url } = run(
    'collect',
    '--port',
    '0',
    '--data',
    data,
    '--topic',
    'events:3',
    '--write-key',
    'k',
  )
  const address = await url
  const health = await fetch(`${address}/healthz`)
  expect(health.status).toBe(200)
  const { topics } = (await (await fetch(`${address}/v1/topics`)).json()) as {
    topics: { partitions: object[] }[]
  }
  expect(topics[0]?.partitions).toHaveLength(3)
  child.kill('SIGINT')
  const { code, out, err } = await ended
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain(`${address}/v1/batches`)
  expect(out).toContain(data)
  expect(out).toMatch(/stopped\n$/)
})

test('of the addresses in a header the nearest proxy’s counts: a sender cannot make up one for each request', async () => {
  const { child, url, ended } = run('collect', '--port', '0', '--data', folder, '--address-header', 'x-seen')
  const address = await url
  const register = async (id: number, seen: string) => {
    const body = request([{ batch: wire({ producerId: (1n << 61n) + BigInt(id) }) }])
    return (await fetch(`${address}/v1/batches`, { method: 'POST', body, headers: { 'x-seen': seen } }))
      .status
  }
  const made = Array.from({ length: 500 }, (_, id) => register(id, `192.0.2.${id % 256}, 198.51.100.1`))
  expect(await Promise.all(made)).toContain(429)
  expect(await register(500, '192.0.2.1, 198.51.100.2')).toBe(202)
  child.kill('SIGTERM')
  expect((await ended).code).toBe(0)
})

test('says plainly when the port or the log is taken', async () => {
  const { child, url, ended } = run('collect', '--port', '0', '--data', folder)
  const port = new URL(await url).port
  const [samePort, sameLog] = await Promise.all([
    run('collect', '--port', port, '--data', join(folder, 'other')).ended,
    run('collect', '--port', '0', '--data', folder).ended,
  ])
  expect([samePort.code, samePort.err]).toEqual([
    1,
    `headwater: port ${port} is taken: name another with --port\n`,
  ])
  expect(sameLog.code).toBe(1)
  expect(sameLog.err).toMatch(/another process has it open, and a log belongs to one collector/)
  child.kill('SIGTERM')
  expect((await ended).code).toBe(0)
})

test('a server that closes answers what it has begun', async () => {
  let finish: (response: Response) => void = () => undefined
  const begun = new Promise<void>((begin) => {
    void serve(
      () =>
        new Promise((resolve) => {
          finish = resolve
          begin()
        }),
      { port: 0, host: '127.0.0.1' },
    ).then((served) => {
      closeServer = () => served.close()
      answered = fetch(served.url).then((response) => response.text())
    })
  })
  let closeServer: () => Promise<void> = async () => undefined
  let answered: Promise<string> = Promise.resolve('')
  await begun
  const closing = closeServer()
  finish(new Response('whole'))
  expect(await answered).toBe('whole')
  await closing
})

test('what is no HTTP harms nothing', async () => {
  const served = await serve(async (request) => new Response(new URL(request.url).pathname), {
    port: 0,
    host: '127.0.0.1',
  })
  const { port } = new URL(served.url)
  const raw = (text: string) =>
    new Promise<string>((resolve) => {
      let heard = ''
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(text))
      socket.on('data', (chunk) => {
        heard += chunk
      })
      socket.on('close', () => resolve(heard))
      socket.on('error', () => resolve(heard))
    })
  expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
  expect(await raw('GET //evil.test/../x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).toMatch(
    /^HTTP\/1.1 200/,
  )
  expect(await raw('GET http://evil.test/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).toMatch(
    /\r\n\r\n\/$/,
  )
  expect(await raw('TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')).toBe('')
  expect(await (await fetch(`${served.url}/well`)).text()).toBe('/well')
  await served.close()
})

test('a port that nobody can have is said to be one', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const address = taken.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  await expect(serve(async () => new Response(), { port, host: '127.0.0.1' })).rejects.toThrow(/EADDRINUSE/)
  await new Promise((resolve) => taken.close(resolve))
})
