/** Runs the measurements of `page.ts` in Chromium and prints them: `npm run bench`. */

import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Browser } from '../tests/e2e/harness/browser.ts'
import { PageServer } from '../tests/e2e/harness/pages.ts'
import type { Figure } from './page.ts'

const server = await PageServer.start(fileURLToPath(new URL('./page.ts', import.meta.url)))
const browser = await Browser.start()
try {
  const page = await browser.tab(server.url)
  const figures = (await page.evaluate('bench.alone()')) as Figure[]
  const other = await browser.tab(server.url)
  await other.evaluate('bench.echo()')
  figures.push((await page.evaluate('bench.publishToReceive()')) as Figure)
  const number = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: 4 })
  for (const { name, unit, headwater, raw, ratio, goal, good } of figures) {
    const mark = good ? 'ok  ' : 'MISS'
    process.stdout.write(
      `${mark} ${name}: ${number(headwater)} ${unit}, raw ${number(raw)}, ratio ${number(ratio)} (goal ${goal})\n`,
    )
  }
  const report = process.argv[2]
  if (report !== undefined) await writeFile(report, `${JSON.stringify(figures, null, 2)}\n`)
  process.exitCode = figures.every(({ good }) => good) ? 0 : 1
} finally {
  await browser.stop()
  await server.stop()
}
