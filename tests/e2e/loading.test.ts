import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Browser } from './harness/browser.ts'

const DIST = fileURLToPath(new URL('../../dist', import.meta.url))
const PAGE = `<!doctype html><title>headwater e2e</title><script type="module">
  import { Kafka } from '/index.js'
  import { createTracker } from '/tracker.js'
  globalThis.headwater = { Kafka, createTracker }
</script>`
/** What only readers, groups and admins need: of the wasm, and of the API. */
const LATE = /\/chunks\/(page-late|late)-/

let server: Server
let url: string
let browser: Browser
/** The modules that were asked for. */
let loaded: string[]

beforeAll(async () => {
  server = createServer(({ url: path = '/' }, response) => {
    loaded.push(path)
    const isModule = path.endsWith('.js')
    response.writeHead(200, { 'content-type': isModule ? 'text/javascript' : 'text/html' })
    response.end(isModule ? readFileSync(DIST + path) : PAGE)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}/`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(async () => {
  loaded = []
  browser = await Browser.start()
})
afterEach(async () => browser.stop())

/** Sends records in several ways, flushes, and closes; answers the offsets. */
async function send(page: Page, count: number): Promise<string[]> {
  return page.evaluate(async (count) => {
    const producer = new headwater.Kafka({ name: 'loading' }).producer()
    await producer.connect()
    const sends = Array.from({ length: count }, (_, index) =>
      producer.send({
        topic: 'events',
        acks: index % 2 === 0 ? -1 : 1,
        messages: [{ key: `k${index}`, value: 'x'.repeat(index * 97), headers: { a: 'b' } }],
      }),
    )
    const places = (await Promise.all(sends)).flat()
    await producer.flush()
    await producer.disconnect()
    return places.map(({ baseOffset }) => baseOffset ?? '')
  }, count)
}

/** The error of what was tried: its name, and whether to try again. */
async function failure(page: Page, what: 'connect' | 'createTopics'): Promise<unknown> {
  return page.evaluate(async (what) => {
    const kafka = new headwater.Kafka({ name: 'loading' })
    const tried =
      what === 'connect'
        ? kafka.consumer({ groupId: 'g' }).connect()
        : kafka.admin().createTopics({ topics: [{ topic: 'more' }] })
    return tried.then(
      () => 'done',
      ({ retriable }: { retriable: boolean }) => ({ retriable }),
    )
  }, what)
}

describe('a page loads', () => {
  test('no more than the core of it for records that are sent, by two tabs at a time', async () => {
    const tabs = [await browser.tab(url), await browser.tab(url)]
    const offsets = (await Promise.all(tabs.map((tab) => send(tab, 60)))).flat()
    expect(new Set(offsets).size).toBeGreaterThan(1)
    expect(loaded.some((path) => path.includes('page-core'))).toBe(true)
    expect(loaded.filter((path) => LATE.test(path))).toEqual([])
  })

  test('the rest when it is needed, and says what to do where that fails', async () => {
    const page = await browser.tab(url)
    await page.route(LATE, (route) => route.abort())
    expect(await failure(page, 'connect')).toEqual({ retriable: true })
    expect(await failure(page, 'createTopics')).toEqual({ retriable: true })
    // Appends go on without it.
    expect(await send(page, 3)).toHaveLength(3)
    await page.unroute(LATE)
    const other = await browser.tab(url)
    expect(await failure(other, 'connect')).toBe('done')
    expect(await failure(other, 'createTopics')).toBe('done')
    expect(await send(other, 3)).toHaveLength(3)
  })
})
