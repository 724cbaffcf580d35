import { existsSync } from 'node:fs'
import puppeteer, { type Browser } from 'puppeteer-core'
import { chromiumPath } from './browser.ts'

export type Engine = 'chromium' | 'firefox'

const FIREFOXES = [process.env['FIREFOX'], '/usr/bin/firefox-esr', '/usr/bin/firefox']

/** Where the system's Firefox is. */
export function firefoxPath(): string {
  const found = FIREFOXES.find((path) => path !== undefined && existsSync(path))
  if (found === undefined) throw new Error('no Firefox here: run scripts/setup, or name one in FIREFOX')
  return found
}

/** What puppeteer would keep from happening: a tab in the background is throttled, one that was left is cached. */
const KEPT_AWAKE = [
  '--disable-back-forward-cache',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
]

/** A browser that treats its tabs as a user's would: one is visible, the others are hidden and throttled. */
export function launch(engine: Engine, profile: string): Promise<Browser> {
  if (engine === 'firefox') {
    return puppeteer.launch({
      browser: 'firefox',
      executablePath: firefoxPath(),
      userDataDir: profile,
      // A process for each tab, as with many sites.
      extraPrefsFirefox: { 'dom.ipc.processCount.webIsolated': 32 },
    })
  }
  return puppeteer.launch({
    browser: 'chrome',
    executablePath: chromiumPath(),
    userDataDir: profile,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-sync',
      // Wakes once a minute after seconds, where a user's browser takes five minutes.
      '--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/5',
    ],
    ignoreDefaultArgs: KEPT_AWAKE,
  })
}
