import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type * as source from '../../../ts/native/source.ts'

/** The smallest module there is. */
const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)

let server: Server
let url: string
let fresh: typeof source

beforeAll(async () => {
  server = createServer((request, response) => {
    const type = /type=([^&]*)/.exec(request.url ?? '')?.[1]
    const status = Number(/status=(\d+)/.exec(request.url ?? '')?.[1] ?? 200)
    response.writeHead(status, type ? { 'content-type': decodeURIComponent(type) } : {}).end(EMPTY)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/wasm`
})
afterAll(() => server.close())

beforeEach(async () => {
  vi.resetModules()
  fresh = await import('../../../ts/native/source.ts')
})

describe('the source of the wasm', () => {
  test.each<[string, () => source.WasmSource | Promise<source.WasmSource>]>([
    ['bytes', () => EMPTY],
    ['a buffer', () => EMPTY.buffer],
    ['a module', () => new WebAssembly.Module(EMPTY)],
    ['an address', () => new URL(`${url}?type=application/wasm`)],
    ['an address as text, whose server knows no wasm', () => `${url}?type=application/octet-stream`],
    ['an answer', () => fetch(`${url}?type=application/wasm`)],
    ['a promise', async () => EMPTY],
  ])('%s', async (_, given) => {
    fresh.initialize(given())
    expect(await fresh.wasmModule()).toBeInstanceOf(WebAssembly.Module)
  })

  test('is compiled once, however many ask', async () => {
    const given = vi.fn(async () => EMPTY)
    fresh.provide({ core: given })
    const [first, second] = await Promise.all([fresh.wasmModule(), fresh.wasmModule()])
    expect(second).toBe(first)
    expect(given).toHaveBeenCalledTimes(1)
  })

  test('what the application says goes before what the entry brings', async () => {
    const brought = vi.fn(async () => EMPTY)
    fresh.initialize(EMPTY)
    fresh.provide({ core: brought })
    await fresh.wasmModule()
    expect(brought).not.toHaveBeenCalled()
  })

  test('nothing was said', async () => {
    const failure = { kind: 'Unavailable', code: 'WASM_UNAVAILABLE', retriable: false }
    await expect(fresh.wasmModule()).rejects.toMatchObject(failure)
  })

  test('a failure of the network is tried again', async () => {
    const given = vi.fn<() => Promise<source.WasmSource>>()
    given.mockRejectedValueOnce(new TypeError('fetch failed')).mockResolvedValueOnce(EMPTY)
    fresh.provide({ core: given })
    await expect(fresh.wasmModule()).rejects.toMatchObject({ retriable: true })
    expect(await fresh.wasmModule()).toBeInstanceOf(WebAssembly.Module)
  })

  test.each([
    ['status=404', 'answered with status 404', true],
    ['type=text/html', 'answered with a page', true],
  ])('an answer with %s', async (query, message, retriable) => {
    fresh.initialize(`${url}?${query}`)
    const failure = { message: expect.stringContaining(message), retriable }
    await expect(fresh.wasmModule()).rejects.toMatchObject(failure)
  })

  test('what is no wasm is refused for good', async () => {
    fresh.initialize(Uint8Array.of(1, 2, 3, 4))
    await expect(fresh.wasmModule()).rejects.toMatchObject({ code: 'WASM_UNAVAILABLE', retriable: false })
  })

  test('no WebAssembly', async () => {
    vi.stubGlobal('WebAssembly', undefined)
    fresh.initialize(EMPTY)
    const failure = expect(fresh.wasmModule()).rejects.toMatchObject({
      message: 'there is no WebAssembly here',
      retriable: false,
    })
    await failure
    vi.unstubAllGlobals()
  })
})
