import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CollectorProcess, until } from './harness/collector.ts'
import type { Engine } from './harness/engines.ts'
import { PageServer } from './harness/pages.ts'
import { FaultProxy } from './harness/proxy.ts'
import { type Tab, Tabs } from './harness/tabs.ts'

/** What a request may carry that outlives its page. */
const KEEPALIVE_BYTES = 48 << 10

describe.each<Engine>(['chromium', 'firefox'])('a tab that is closed in %s', (engine) => {
  let pages: PageServer
  let collector: CollectorProcess
  let proxy: FaultProxy
  let tabs: Tabs

  beforeEach(async () => {
    pages = await PageServer.start()
    collector = await CollectorProcess.start()
    proxy = await FaultProxy.start(collector.url)
    tabs = await Tabs.start(engine, pages.url)
  })
  afterEach(async () => {
    const { complaints } = tabs
    await tabs.stop()
    await proxy.stop()
    await collector.stop()
    await pages.stop()
    expect(complaints).toEqual([])
  })

  /** A tab with a tracker that would wait for more for as long as the test takes. */
  async function visit(): Promise<Tab> {
    const tab = await tabs.tab()
    await tab.page.evaluate(async (endpoint) => {
      const tracker = headwater.createTracker({ writeKey: 'e2e', endpoint, lingerMs: 600_000 })
      Object.assign(globalThis, { tracker })
      await tracker.ready()
    }, `${proxy.url}/v1/batches`)
    return tab
  }

  /** A page that is hidden waits for nothing: what it has tracked arrives, and the collector knows it from now on. */
  async function delivered(tab: Tab, count: number): Promise<void> {
    const other = await tabs.tab()
    await collector.arrived(count)
    await other.close()
    await tab.show()
    await until(() => tab.page.evaluate(() => document.visibilityState === 'visible'), 'it is seen again')
  }

  /** Tracks `count` events of `size` characters and more; resolves when they are in the log. */
  async function track(tab: Tab, from: number, count: number, size = 0): Promise<void> {
    await tab.page.evaluate(
      async (from, count, size) => {
        const { tracker } = globalThis as unknown as { tracker: ReturnType<typeof headwater.createTracker> }
        const filler = '-'.repeat(size)
        for (let id = from; id < from + count; id++) tracker.track('clicked', { id: String(id), filler })
        await tracker.flush()
      },
      from,
      count,
      size,
    )
  }

  /** Waits until what is to be sent is marked in the page's storage. */
  async function marked(tab: Tab): Promise<void> {
    const mark = () =>
      tab.page.evaluate(async () => {
        const done = <T>(request: IDBRequest<T>) =>
          new Promise<T>((resolve) => {
            request.onsuccess = () => resolve(request.result)
          })
        const database = await done(indexedDB.open('headwater/headwater'))
        const rows: Uint8Array[] = await done(
          database.transaction('deliveries').objectStore('deliveries').getAll(),
        )
        database.close()
        // A version, `committed`, the producer id, its epoch and start come before it.
        return rows.some(({ buffer, byteOffset }) => new DataView(buffer, byteOffset).getBigInt64(27) >= 0n)
      })
    await until(mark, 'a batch is marked')
  }

  const wanted = (count: number) => Array.from({ length: count }, (_, id) => String(id))

  test('what was tracked just before arrives while no page is open, and does not come again', async () => {
    const tab = await visit()
    await track(tab, 0, 1)
    await delivered(tab, 1)
    const before = proxy.bodies.length
    await track(tab, 1, 1)
    await marked(tab)
    expect(proxy.bodies.length).toBe(before)
    await tab.close()
    expect(await collector.arrived(2)).toEqual(wanted(2))
    expect(proxy.bodies.length).toBe(before + 1)
    const next = await visit()
    await track(next, 2, 1)
    await delivered(next, 3)
    expect(await collector.ids()).toEqual(wanted(3))
  })

  test('more than a dying page may send: it sends the oldest, and the next visit the rest', async () => {
    const tab = await visit()
    await track(tab, 0, 1)
    await delivered(tab, 1)
    const before = proxy.bodies.length
    await track(tab, 1, 40, 4_000)
    await marked(tab)
    expect(proxy.bodies.length).toBe(before)
    await tab.close()
    await until(async () => (await collector.ids()).length > 1, 'the first of it arrives')
    const early = await collector.ids()
    expect(early).toEqual(wanted(early.length))
    expect(early.length).toBeLessThan(41)
    expect(proxy.bodies.length).toBe(before + 1)
    expect(proxy.bodies.at(-1)).toBeLessThanOrEqual(KEEPALIVE_BYTES)
    const next = await visit()
    await delivered(next, 41)
    expect(await collector.ids()).toEqual(wanted(41))
  })
})
