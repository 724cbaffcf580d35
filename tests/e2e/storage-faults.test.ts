import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Browser } from './harness/browser.ts'
import { CollectorProcess, until } from './harness/collector.ts'
import { PageServer } from './harness/pages.ts'
import type { Damage } from './pages/storage.ts'

/** In how many ways storage fails for a while. */
const KINDS = 7

const SERVER_LOST: Damage = [
  'UnknownError',
  'Connection to Indexed Database server lost. Refresh the page to try again',
]

const PAGE = new URL('./pages/storage.ts', import.meta.url).pathname

let pages: PageServer
let browser: Browser
let collector: CollectorProcess
let complaints: string[]

beforeAll(async () => {
  pages = await PageServer.start(PAGE)
})
afterAll(async () => pages.stop())
beforeEach(async () => {
  complaints = []
  collector = await CollectorProcess.start()
  browser = await Browser.start()
})
afterEach(async () => {
  await browser.stop()
  await collector.stop()
  expect(complaints).toEqual([])
})

interface Globals {
  tracker: ReturnType<typeof headwater.createTracker>
  /** What the log said of its storage. */
  states: string[]
  send(): Promise<Sent>
  /** What was sent when the storage died. */
  underWay: Promise<Sent[]>
}

/** A record that was acknowledged. */
interface Sent {
  value: string
  offset: number
}

/** A tab with a tracker; its storage is damaged from the beginning, where it is. */
async function trackingTab(damage?: Damage): Promise<Page> {
  const page = await browser.tab(pages.url, complaints)
  await page.evaluate(
    ([endpoint, damage]) => {
      storm.dead = damage
      const states: string[] = []
      const tracker = headwater.createTracker({ writeKey: 'e2e', endpoint: `${endpoint}/v1/batches` })
      tracker.on('storage', ({ state }) => states.push(state))
      Object.assign(globalThis, { tracker, states })
    },
    [collector.url, damage] as const,
  )
  return page
}

async function track(page: Page, ids: string[]): Promise<void> {
  await page.evaluate(async (ids) => {
    const { tracker } = globalThis as unknown as Globals
    for (const id of ids) tracker.track('clicked', { id })
    await tracker.flush()
  }, ids)
}

const states = (page: Page) => page.evaluate(() => (globalThis as unknown as Globals).states)

/** The storage is sound from now on, and the page, which is looked at again, looks for it. */
async function clear(page: Page): Promise<void> {
  await page.evaluate(() => {
    storm.end()
    document.dispatchEvent(new Event('visibilitychange'))
  })
}

describe('a database that cannot be opened', () => {
  const damages: [what: string, opens: number, damage: Damage][] = [
    ['its server is lost', 4, SERVER_LOST],
    [
      'its files are damaged',
      4,
      ['UnknownError', 'Internal error opening backing store for indexedDB.open.'],
    ],
    [
      'it calls itself full, and is not',
      4,
      ['QuotaExceededError', 'Encountered full disk while opening backing store for indexedDB.open.'],
    ],
    [
      'a private window has none',
      1,
      ['InvalidStateError', 'A mutation operation was attempted on a database that did not allow mutations.'],
    ],
  ]

  test.each(damages)(
    '%s: events are delivered from memory, and stored once it is back',
    async (_, opens, damage) => {
      const page = await trackingTab(damage)
      await track(page, ['a', 'b'])
      expect(await collector.arrived(2)).toEqual(['a', 'b'])
      expect(await states(page)).toEqual(['degraded'])
      expect(await page.evaluate(() => [storm.opens, storm.deletes])).toEqual([opens, 0])
      await clear(page)
      await until(async () => (await states(page)).includes('recovered'), 'it is stored again')
      await track(page, ['c'])
      await collector.arrived(3)
      await page.close()
      await track(await trackingTab(), ['d'])
      expect((await collector.arrived(4)).toSorted()).toEqual(['a', 'b', 'c', 'd'])
    },
  )
})

test('a browser without WebAssembly and IndexedDB: the page goes on, and what was lost is said', async () => {
  const page = await browser.tab(pages.url, complaints)
  const told = await page.evaluate(async (endpoint) => {
    Reflect.deleteProperty(globalThis, 'WebAssembly')
    Reflect.deleteProperty(globalThis, 'indexedDB')
    const tracker = headwater.createTracker({ writeKey: 'e2e', endpoint: `${endpoint}/v1/batches` })
    let lost = 0
    tracker.on('dropped', ({ count }) => {
      lost += count
    })
    tracker.track('clicked', { id: 'a' })
    tracker.track('clicked', { id: 'b' })
    const flushed = await tracker.flush().catch((error: Error) => error.message)
    const ready = await tracker.ready().catch((error: Error) => error.message)
    return { lost, flushed, ready }
  }, collector.url)
  expect(told).toEqual({ lost: 2, flushed: expect.stringMatching(/WebAssembly/), ready: told.flushed })
})

describe("an origin's data are deleted", () => {
  async function wipe(page: Page): Promise<void> {
    const devtools = await page.context().newCDPSession(page)
    const { origin } = new URL(pages.url)
    await devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb,local_storage' })
  }

  test('under an open page and between two visits: what was not deleted arrives, once', async () => {
    const page = await trackingTab()
    await track(page, ['a', 'b'])
    await collector.arrived(2)
    await wipe(page)
    await track(page, ['c'])
    await collector.arrived(3)
    await page.close()
    const empty = await browser.tab(`${pages.url}empty`)
    await wipe(empty)
    const next = await trackingTab()
    await track(next, ['d', 'e'])
    expect(await collector.arrived(5)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(await states(next)).toEqual([])
  })
})

describe('storage that fails in every way for a while', () => {
  const SEEDS = [1, 2] as const

  async function producingTab(tab: string): Promise<Page> {
    const page = await browser.tab(pages.url, complaints)
    await page.evaluate(async (tab) => {
      const kafka = new headwater.Kafka({ clientId: 'e2e' })
      const producer = kafka.producer()
      const states: string[] = []
      kafka.on('storage', ({ state }) => states.push(state))
      let sent = 0
      /** As an application would: what may be tried again is. */
      const send = async (value = `${tab}-${sent++}`): Promise<Sent> => {
        try {
          const [at] = await producer.send({ topic: 'storm', messages: [{ value }] })
          return { value, offset: Number(at?.baseOffset) }
        } catch (error) {
          if (!(error as { retriable: boolean }).retriable) throw error
          return send(value)
        }
      }
      await producer.connect()
      await send()
      Object.assign(globalThis, { states, send })
    }, tab)
    return page
  }

  /** Five at a time until each kind of fault has struck five times; answers what was acknowledged, and where. */
  async function weather(page: Page, seed: number): Promise<Sent[]> {
    return page.evaluate(
      async ([seed, kinds]) => {
        const { send } = globalThis as unknown as Globals
        const acknowledged: Sent[] = []
        const one = async () => {
          const often = () => Object.values(storm.done).filter((times) => times >= 5).length
          while (often() < kinds) acknowledged.push(await send())
        }
        storm.begin(seed)
        await Promise.all([one(), one(), one(), one(), one()])
        storm.end()
        return acknowledged
      },
      [seed, KINDS] as const,
    )
  }

  async function send(page: Page, count: number): Promise<Sent[]> {
    return page.evaluate(async (count) => {
      const { send } = globalThis as unknown as Globals
      return Promise.all(Array.from({ length: count }, () => send()))
    }, count)
  }

  /** Its storage dies, and a send is under way. */
  async function kill(page: Page): Promise<void> {
    await page.evaluate((damage) => {
      const { send } = globalThis as unknown as Globals
      storm.dead = damage
      Object.assign(globalThis, { underWay: Promise.all([send()]) })
    }, SERVER_LOST)
  }

  /** The values of all records, by offset. */
  async function stored(page: Page): Promise<Map<number, string>> {
    const rows = await page.evaluate(async () => {
      const kafka = new headwater.Kafka({ clientId: 'e2e' })
      const [partition] = await kafka.admin().fetchTopicOffsets('storm')
      const rows: [number, string][] = []
      const consumer = kafka.consumer({ groupId: 'all' })
      await consumer.subscribe({ topics: ['storm'], fromBeginning: true })
      await new Promise<void>((resolve) => {
        void consumer.run({
          eachMessage: async ({ message }) => {
            rows.push([Number(message.offset), new TextDecoder().decode(message.value ?? new Uint8Array())])
            if (Number(message.offset) === Number(partition?.high) - 1) resolve()
          },
        })
      })
      return rows
    })
    return new Map(rows)
  }

  /** Each is where it was said to be. */
  function placed(acknowledged: readonly Sent[], values: ReadonlyMap<number, string>): void {
    expect(acknowledged.map(({ offset }) => ({ offset, value: values.get(offset) }))).toEqual(
      acknowledged.map(({ offset, value }) => ({ offset, value })),
    )
  }

  test('what was acknowledged is stored once, at its offset; through memory and back, no offset is used twice', async () => {
    const tabs = [await producingTab('one'), await producingTab('two')] as const
    const before = await Promise.all(tabs.map((page, at) => weather(page, SEEDS[at] ?? 0)))
    for (const page of tabs) expect(await states(page), 'it heals').toEqual([])
    await Promise.all(tabs.map(kill))
    for (const page of tabs) {
      await until(async () => (await states(page)).includes('degraded'), 'the log goes on in memory')
    }
    const away = await Promise.all(tabs.map((page) => send(page, 20)))
    for (const page of tabs) await clear(page)
    for (const page of tabs) {
      await until(async () => (await states(page)).includes('recovered'), 'it is stored again')
    }
    const underWay = await Promise.all(
      tabs.map((page) => page.evaluate(() => (globalThis as unknown as Globals).underWay)),
    )
    const after = await Promise.all(tabs.map((page) => send(page, 20)))
    for (const page of tabs) expect(await states(page)).toEqual(['degraded', 'recovered'])
    const values = await stored(await browser.tab(pages.url, complaints))
    // What was taken into memory, has an offset there.
    placed([before, after].flat(2), values)
    const all = [...before, ...underWay, ...away, ...after].flat().map(({ value }) => value)
    expect([...values.values()].toSorted()).toEqual([...all, 'one-0', 'two-0'].toSorted())
  })
})
