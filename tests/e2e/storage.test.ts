import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Browser } from './harness/browser.ts'
import { until } from './harness/collector.ts'
import { PageServer } from './harness/pages.ts'

let pages: PageServer
let browser: Browser

beforeAll(async () => {
  pages = await PageServer.start()
})
afterAll(async () => pages.stop())
beforeEach(async () => {
  browser = await Browser.start()
})
afterEach(async () => browser.stop())

interface World {
  /** While it is set, IndexedDB answers as it does where its server process is gone. */
  dead: boolean
  heard: string[]
  states: string[]
}

const LOST = 'Connection to Indexed Database server lost. Refresh the page to try again'

/** A log with a consumer, over an IndexedDB that the test can take away. */
async function setUp(page: Page, dead = false): Promise<void> {
  await page.evaluate(
    async ([lost, dead]) => {
      const world: World = { dead, heard: [], states: [] }
      Object.assign(globalThis, { world })
      const { open } = IDBFactory.prototype
      const { transaction } = IDBDatabase.prototype
      IDBFactory.prototype.open = function (...given) {
        if (!world.dead) return open.apply(this, given)
        const request = Object.create(IDBOpenDBRequest.prototype)
        for (const name of ['onsuccess', 'onerror', 'onblocked', 'onupgradeneeded']) {
          Object.defineProperty(request, name, { value: null, writable: true })
        }
        Object.defineProperty(request, 'error', { value: new DOMException(lost, 'UnknownError') })
        setTimeout(() => request.onerror?.(new Event('error', { cancelable: true })), 0)
        return request
      }
      IDBDatabase.prototype.transaction = function (...given) {
        if (world.dead) throw new DOMException('The database connection is closing.', 'InvalidStateError')
        return transaction.apply(this, given)
      }
      const kafka = new headwater.Kafka({ clientId: 'e2e' })
      kafka.on('storage', ({ state }) => world.states.push(state))
      const producer = kafka.producer()
      await producer.connect()
      Object.assign(globalThis, { kafka, producer })
      const consumer = kafka.consumer({ groupId: 'ui' })
      await consumer.subscribe({ topics: ['chat'], fromBeginning: true })
      await consumer.run({
        eachMessage: async ({ message }) => {
          world.heard.push(new TextDecoder().decode(message.value ?? new Uint8Array()))
        },
      })
    },
    [LOST, dead] as const,
  )
}

type Globals = { world: World; producer: ReturnType<InstanceType<typeof headwater.Kafka>['producer']> }

const say = (page: Page, value: string) =>
  page.evaluate(async (value) => {
    const { producer } = globalThis as unknown as Globals
    const [sent] = await producer.send({ topic: 'chat', messages: [{ value }] })
    return sent?.baseOffset
  }, value)

const world = (page: Page) => page.evaluate(() => (globalThis as unknown as Globals).world)

const die = (page: Page, dead: boolean) =>
  page.evaluate((dead) => {
    ;(globalThis as unknown as Globals).world.dead = dead
    // A page that is looked at again looks for its storage.
    document.dispatchEvent(new Event('visibilitychange'))
  }, dead)

async function state(page: Page, wanted: string): Promise<void> {
  await until(async () => (await world(page)).states.includes(wanted), `the storage is ${wanted}`)
}

async function stored(page: Page): Promise<string[]> {
  await page.reload()
  await setUp(page)
  await page.waitForTimeout(500)
  const read = await page.evaluate(async () => {
    const values: string[] = []
    const consumer = new headwater.Kafka({ clientId: 'e2e' }).consumer({ groupId: `all-${Date.now()}` })
    await consumer.subscribe({ topics: ['chat'], fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        values.push(new TextDecoder().decode(message.value ?? new Uint8Array()))
      },
    })
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    return values
  })
  return read
}

describe('storage that dies under a page', () => {
  test('the log goes on in memory, and is stored again when the storage is back', async () => {
    const page = await browser.tab(pages.url)
    await setUp(page)
    expect(await say(page, 'a')).toBe('0')
    await until(async () => (await world(page)).heard.includes('a'), 'the first record is heard')
    await die(page, true)
    // It finds the storage dead, certainly not written, and waits for it.
    const waiting = say(page, 'b')
    await state(page, 'degraded')
    expect(await say(page, 'c'), 'another log, with offsets of its own').toBe('0')
    await until(async () => (await world(page)).heard.includes('c'), 'the consumer has come along')
    await die(page, false)
    await state(page, 'recovered')
    await waiting.catch(() => undefined)
    expect(Number(await say(page, 'd'))).toBeGreaterThan(1)
    const values = await stored(page)
    expect(values.filter((value) => value !== 'b').sort()).toEqual(['a', 'c', 'd'])
    expect(values.filter((value) => value === 'b').length).toBeLessThanOrEqual(1)
  }, 60_000)

  test('a log that could not be opened is stored once it can be', async () => {
    const page = await browser.tab(pages.url)
    await setUp(page, true)
    expect(await say(page, 'a')).toBe('0')
    expect((await world(page)).states).toEqual(['degraded'])
    await die(page, false)
    await state(page, 'recovered')
    await say(page, 'b')
    expect(await stored(page)).toEqual(['a', 'b'])
  }, 60_000)
})

describe('a quota that is used up', () => {
  test('what every group has consumed makes room, and without it a send fails as full', async () => {
    const page = await browser.tab(pages.url)
    const devtools = await page.context().newCDPSession(page)
    const origin = new URL(pages.url).origin
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 8 << 20 })
    const filled = await page.evaluate(async () => {
      const kafka = new headwater.Kafka({ clientId: 'e2e', retry: { retries: 0 } })
      const producer = kafka.producer()
      await producer.connect()
      Object.assign(globalThis, { kafka, producer })
      // What a browser could compress would take no room.
      const noise = () => crypto.getRandomValues(new Uint8Array(60_000)).join('')
      const value = noise() + noise() + noise()
      for (let sent = 0; sent < 60; sent += 1) {
        try {
          await producer.send({ topic: 'full', messages: [{ value }] })
        } catch (error) {
          const { type, kind, retriable } = error as { type: string; kind: string; retriable: boolean }
          return { sent, type, kind, retriable }
        }
      }
      return undefined
    })
    expect(filled).toMatchObject({ type: 'STORAGE_QUOTA_EXCEEDED', kind: 'Full', retriable: true })
    const after = await page.evaluate(async (sent) => {
      const { producer, kafka } = globalThis as unknown as {
        producer: ReturnType<InstanceType<typeof headwater.Kafka>['producer']>
        kafka: InstanceType<typeof headwater.Kafka>
      }
      const admin = kafka.admin()
      const before = await admin.fetchTopicOffsets('full')
      await admin.setOffsets({
        groupId: 'all',
        topic: 'full',
        partitions: [{ partition: 0, offset: String(sent) }],
      })
      const noise = () => crypto.getRandomValues(new Uint8Array(60_000)).join('')
      for (let more = 0; more < 5; more += 1) {
        await producer.send({ topic: 'full', messages: [{ value: noise() + noise() + noise() }] })
      }
      return { before: before[0], after: (await admin.fetchTopicOffsets('full'))[0] }
    }, filled?.sent ?? 0)
    expect(after.before).toMatchObject({ low: '0', high: String(filled?.sent) })
    expect(Number(after.after?.low)).toBeGreaterThan(0)
    expect(after.after?.high).toBe(String((filled?.sent ?? 0) + 5))
  }, 60_000)
})
