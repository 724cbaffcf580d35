import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Browser } from './harness/browser.ts'
import { seeded } from './harness/chance.ts'
import { CollectorProcess, until } from './harness/collector.ts'
import { PageServer } from './harness/pages.ts'
import { FaultProxy } from './harness/proxy.ts'

let pages: PageServer
let browser: Browser
let collector: CollectorProcess
let proxy: FaultProxy
let complaints: string[]

beforeAll(async () => {
  pages = await PageServer.start()
})
afterAll(async () => pages.stop())

beforeEach(async () => {
  complaints = []
  collector = await CollectorProcess.start()
  proxy = await FaultProxy.start(collector.url)
  browser = await Browser.start()
})
afterEach(async () => {
  await browser.stop()
  await proxy.stop()
  await collector.stop()
  expect(complaints).toEqual([])
})

/** A tab whose tracker forwards to the proxy. */
async function trackingTab(endpoint = proxy.url): Promise<Page> {
  const page = await browser.tab(pages.url, complaints)
  await page.evaluate((endpoint) => {
    const tracker = headwater.createTracker({ writeKey: 'e2e', endpoint: `${endpoint}/v1/batches` })
    Object.assign(globalThis, { tracker })
  }, endpoint)
  return page
}

/** Tracks `count` events whose ids begin with `prefix`; with `flush` it resolves when all of them are stored. */
async function track(page: Page, prefix: string, count: number, flush = true): Promise<void> {
  await page.evaluate(
    async ({ prefix, count, flush }) => {
      const { tracker } = globalThis as unknown as { tracker: ReturnType<typeof headwater.createTracker> }
      for (let index = 0; index < count; index++) tracker.track('clicked', { id: `${prefix}-${index}` })
      if (flush) await tracker.flush()
    },
    { prefix, count, flush },
  )
}

function expected(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
}

/** Nothing lost, nothing doubled; the order is that of the page. */
function expectExactly(ids: string[], wanted: string[]): void {
  expect(new Set(ids).size, 'doubled events').toBe(ids.length)
  expect(ids.toSorted()).toEqual(wanted.toSorted())
}

/** After what should be the last delivery, anything late would be a double: give it the chance to show. */
async function settled(): Promise<void> {
  const before = proxy.requests
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await until(() => proxy.requests >= before, 'time passes')
}

describe('exactly once', () => {
  test('10,000 events in a burst', async () => {
    const page = await trackingTab()
    await track(page, 'burst', 10_000)
    const ids = await collector.arrived(10_000)
    await settled()
    expect(ids).toEqual(expected('burst', 10_000))
    expectExactly(await collector.ids(), expected('burst', 10_000))
  })

  test('offline for the whole life of the page, then closed and opened again', async () => {
    proxy.fault = () => 'dropRequest'
    const page = await trackingTab()
    await track(page, 'offline', 500)
    await page.close()
    await browser.close()
    expect(await collector.ids()).toEqual([])
    proxy.fault = () => 'none'
    await browser.open()
    await trackingTab()
    await collector.arrived(500)
    await settled()
    expectExactly(await collector.ids(), expected('offline', 500))
  })

  test('30 % of the answers dropped after the collector has stored', async () => {
    const chance = seeded(7)
    proxy.fault = () => (chance() < 0.3 ? 'dropResponse' : 'none')
    const page = await trackingTab()
    for (let round = 0; round < 20; round++) {
      await track(page, `lossy${round}`, 50)
      await until(() => proxy.requests > round, 'a request is made')
    }
    const wanted = Array.from({ length: 20 }, (_, round) => expected(`lossy${round}`, 50)).flat()
    await collector.arrived(wanted.length)
    await settled()
    expect(proxy.dropped).toBeGreaterThan(0)
    expectExactly(await collector.ids(), wanted)
  })

  test('the renderer is SIGKILLed right after flush() resolved', async () => {
    proxy.fault = () => 'dropRequest'
    const page = await trackingTab()
    await track(page, 'killed', 300)
    browser.killRenderers()
    await until(() => page.isClosed() || page.evaluate(() => false).catch(() => true), 'the renderer is gone')
    proxy.fault = () => 'none'
    await browser.kill()
    await browser.open()
    await trackingTab()
    await collector.arrived(300)
    await settled()
    expectExactly(await collector.ids(), expected('killed', 300))
  })

  test('three tabs at once', async () => {
    const tabs = [await trackingTab(), await trackingTab(), await trackingTab()]
    await Promise.all(tabs.map((page, tab) => track(page, `tab${tab}`, 700)))
    const wanted = [0, 1, 2].flatMap((tab) => expected(`tab${tab}`, 700))
    const ids = await collector.arrived(wanted.length)
    await settled()
    for (const tab of [0, 1, 2]) {
      expect(ids.filter((id) => id.startsWith(`tab${tab}-`))).toEqual(expected(`tab${tab}`, 700))
    }
    expectExactly(await collector.ids(), wanted)
  })

  test('the collector is SIGKILLed and started again while 5,000 events arrive', async () => {
    const page = await trackingTab()
    let answers = 0
    const enough = new Promise<void>((resolve) => {
      proxy.onAnswer = () => {
        answers += 1
        if (answers === 3) resolve()
      }
    })
    const tracking = (async () => {
      for (let round = 0; round < 10; round++) {
        await track(page, `round${round}`, 500)
        await until(() => proxy.requests > round, 'a request is made')
      }
    })()
    await enough
    await collector.kill()
    await collector.up()
    await tracking
    const wanted = Array.from({ length: 10 }, (_, round) => expected(`round${round}`, 500)).flat()
    await collector.arrived(wanted.length)
    await settled()
    expectExactly(await collector.ids(), wanted)
  })

  test('the page is reloaded in mid-flight', async () => {
    const page = await trackingTab()
    const answered = new Promise<void>((resolve) => {
      proxy.onAnswer = resolve
    })
    proxy.fault = () => 'dropResponse'
    await track(page, 'before', 400)
    await answered
    await page.reload()
    await page.waitForFunction(() => 'headwater' in globalThis)
    proxy.fault = () => 'none'
    await page.evaluate((endpoint) => {
      const tracker = headwater.createTracker({ writeKey: 'e2e', endpoint: `${endpoint}/v1/batches` })
      Object.assign(globalThis, { tracker })
    }, proxy.url)
    await track(page, 'after', 400)
    const wanted = [...expected('before', 400), ...expected('after', 400)]
    await collector.arrived(wanted.length)
    await settled()
    expectExactly(await collector.ids(), wanted)
  })

  test('two tabs, one closed in mid-send: what was flushed arrives, nothing twice', async () => {
    const leaving = await trackingTab()
    const staying = await trackingTab()
    await track(leaving, 'flushed', 300)
    await track(leaving, 'unflushed', 300, false)
    await leaving.close()
    await track(staying, 'stays', 300)
    const sure = [...expected('flushed', 300), ...expected('stays', 300)]
    await until(async () => {
      const ids = new Set(await collector.ids())
      return sure.every((id) => ids.has(id))
    }, 'what was flushed arrives')
    await settled()
    const ids = await collector.ids()
    expectExactly(
      ids.filter((id) => !id.startsWith('unflushed-')),
      sure,
    )
    const unflushed = ids.filter((id) => id.startsWith('unflushed-'))
    expect(unflushed, 'a prefix of what was tracked, in order').toEqual(
      expected('unflushed', unflushed.length),
    )
  })
})
