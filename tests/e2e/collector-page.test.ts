import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Listed, P, request, wire } from '../ts/collector/wire.ts'
import { Browser } from './harness/browser.ts'
import { CollectorProcess } from './harness/collector.ts'

let browser: Browser
let collector: CollectorProcess

beforeAll(async () => {
  ;[browser, collector] = await Promise.all([Browser.start(), CollectorProcess.start()])
})
afterAll(async () => {
  await browser.stop()
  await collector.stop()
})

interface Answers {
  answers: { status: number; signature: string; signedAt: number }[]
}

async function deliver(listed: Listed): Promise<void> {
  const post = async (each: Listed) => {
    const body = request([each], 'e2e')
    return (await fetch(`${collector.url}/v1/batches`, { method: 'POST', body })).json() as Promise<Answers>
  }
  const { signature, signedAt } = (await post(listed)).answers[0] ?? {}
  expect((await post({ ...listed, signature, signedAt })).answers[0]?.status).toBe(200)
}

test('the page shows what arrives as it arrives, and hostile records run nothing', async () => {
  const complaints: string[] = []
  const page = await browser.tab(`${collector.url}/`, complaints)
  const alerts: string[] = []
  page.on('dialog', (dialog) => {
    alerts.push(dialog.message())
    void dialog.dismiss()
  })
  await page.locator('#empty').waitFor()
  const event = (name: string, userId: string) => ({
    key: userId,
    value: JSON.stringify({ event: name, userId }),
  })
  await deliver({ batch: wire({ records: [event('Product Added', 'user-7')] }), partitions: 2 })
  const rows = page.locator('tr.record')
  await rows.first().waitFor()
  expect(await rows.first().locator('td').nth(1).textContent()).toBe('Product Added')
  expect(await rows.first().locator('td').nth(2).textContent()).toBe('user-7')

  const hostile = `<img src=x onerror="alert(1)"><script>alert(2)</script>`
  const records = [event(hostile, hostile), { key: hostile, value: hostile }, { value: `{"event":{"a":1}}` }]
  await deliver({ batch: wire({ producerId: P + 1n, records }), partition: 1, partitions: 2 })
  await deliver({ batch: wire({ producerId: P + 2n, records: ['x'.repeat(1_100_000)] }) })
  await page.locator('article.letters').waitFor()
  await page.waitForFunction(() => document.querySelectorAll('tr.record').length === 5)
  for (const row of await rows.all()) await row.click()
  expect(await page.locator('td.detail').count()).toBe(5)
  expect(await rows.filter({ hasText: 'MESSAGE_TOO_LARGE' }).count()).toBe(1)
  expect(await rows.filter({ hasText: '<script>' }).count()).toBeGreaterThan(0)
  expect(await page.locator('main img, main script').count()).toBe(0)
  expect(alerts).toEqual([])
  expect(complaints).toEqual([])
})
