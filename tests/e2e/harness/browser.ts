import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

const CANDIDATES = [
  process.env['CHROME'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]

/** Where the system's Chromium is. */
export function chromiumPath(): string {
  const found = CANDIDATES.find((path) => path !== undefined && existsSync(path))
  if (found === undefined) throw new Error('no Chromium here: run scripts/setup, or name one in CHROME')
  return found
}

/** A browser with a profile on disk, which can be killed and opened again over the same profile. */
export class Browser {
  private context: BrowserContext | undefined

  private constructor(private readonly profile: string) {}

  static async start(): Promise<Browser> {
    const browser = new Browser(await mkdtemp(join(tmpdir(), 'headwater-profile-')))
    await browser.open()
    return browser
  }

  async open(): Promise<void> {
    this.context = await chromium.launchPersistentContext(this.profile, {
      executablePath: chromiumPath(),
      headless: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-sync',
      ],
    })
  }

  /** A tab with the test page loaded; what its console or its scripts complain of fails the test. */
  async tab(url: string, complaints: string[] = []): Promise<Page> {
    if (this.context === undefined) throw new Error('the browser is closed')
    const page = await this.context.newPage()
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(url)
    await page.waitForFunction(() => document.readyState === 'complete')
    return page
  }

  async close(): Promise<void> {
    await this.context?.close()
    this.context = undefined
  }

  /** SIGKILLs the processes that render this browser's pages. */
  killRenderers(): void {
    this.signal('--type=renderer')
  }

  /** SIGKILLs the whole browser. */
  async kill(): Promise<void> {
    this.signal(this.profile)
    await this.context?.close().catch(() => undefined)
    this.context = undefined
  }

  async stop(): Promise<void> {
    await this.close().catch(() => undefined)
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }

  /** The processes of this browser whose command lines have `mark` in them. */
  processes(mark = ''): number[] {
    const table = execFileSync('ps', ['-eo', 'pid,args', '-ww'], { encoding: 'utf8' })
    const mine = table.split('\n').filter((line) => line.includes(this.profile) && line.includes(mark))
    return mine.map((line) => Number.parseInt(line.trim(), 10))
  }

  private signal(mark: string): void {
    for (const pid of this.processes(mark)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It went by itself meanwhile.
      }
    }
  }
}
