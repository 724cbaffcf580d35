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

type Heard = { heard: string[] }

async function consumeIn(page: Page, groupId: string): Promise<void> {
  await page.evaluate(async (groupId) => {
    const heard: string[] = []
    Object.assign(globalThis, { heard })
    const consumer = new headwater.Kafka({ clientId: 'e2e' }).consumer({ groupId })
    Object.assign(globalThis, { consumer })
    await consumer.connect()
    await consumer.subscribe({ topics: ['chat'], fromBeginning: true })
    const eachMessage = async ({ message }: { message: { value: Uint8Array | null } }) => {
      heard.push(new TextDecoder().decode(message.value ?? new Uint8Array()))
    }
    void consumer.run({ eachMessage })
  }, groupId)
}

async function say(page: Page, values: string[]): Promise<void> {
  await page.evaluate(async (values) => {
    const producer = new headwater.Kafka({ clientId: 'e2e' }).producer()
    await producer.connect()
    await producer.send({ topic: 'chat', messages: values.map((value) => ({ value })) })
    await producer.disconnect()
  }, values)
}

const heard = (page: Page) => page.evaluate(() => (globalThis as unknown as Heard).heard)

describe('between tabs', () => {
  test('a record that one tab sends reaches a consumer in another', async () => {
    const [speaker, listener] = [await browser.tab(pages.url), await browser.tab(pages.url)]
    await consumeIn(listener, 'ui')
    await say(speaker, ['one', 'two'])
    await until(async () => (await heard(listener)).length >= 2, 'both records are heard')
    await say(speaker, ['three'])
    await until(async () => (await heard(listener)).length >= 3, 'the third record is heard')
    expect(await heard(listener)).toEqual(['one', 'two', 'three'])
  })

  test('a second member of the group waits, and goes on where the first stopped', async () => {
    const [first, second] = [await browser.tab(pages.url), await browser.tab(pages.url)]
    await consumeIn(first, 'ui')
    await say(first, ['one', 'two'])
    await until(async () => (await heard(first)).length === 2, 'the first member reads')
    await consumeIn(second, 'ui')
    expect(await heard(second)).toEqual([])
    await first.evaluate(async () => {
      await (globalThis as unknown as { consumer: { disconnect(): Promise<void> } }).consumer.disconnect()
    })
    await say(second, ['three'])
    await until(async () => (await heard(second)).length > 0, 'the second member reads')
    expect(await heard(second)).toEqual(['three'])
    expect(await heard(first)).toEqual(['one', 'two'])
  })

  test('a group outlives a tab that was closed', async () => {
    const [first, second] = [await browser.tab(pages.url), await browser.tab(pages.url)]
    await consumeIn(first, 'ui')
    await say(second, ['one'])
    await until(async () => (await heard(first)).length === 1, 'the first member reads')
    await consumeIn(second, 'ui')
    await first.close()
    await say(second, ['two'])
    await until(async () => (await heard(second)).includes('two'), 'the second member takes over')
  })

  test('what was sent with acks -1 is read after a reload', async () => {
    const page = await browser.tab(pages.url)
    await say(page, ['kept'])
    await page.reload()
    await page.waitForFunction(() => 'headwater' in globalThis)
    await consumeIn(page, 'after')
    await until(async () => (await heard(page)).length === 1, 'the record is read')
    expect(await heard(page)).toEqual(['kept'])
  })
})
