import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, CDPSession, Page } from 'puppeteer-core'
import type { Driver, Joining } from '../pages/member.ts'
import { type Engine, launch } from './engines.ts'

/** A browser, and the tabs of one origin in it. */
export class Tabs {
  /** What scripts complained of. */
  readonly complaints: string[] = []
  private readonly open = new Set<Tab>()

  private constructor(
    private readonly browser: Browser,
    private readonly profile: string,
    private readonly url: string,
  ) {}

  static async start(engine: Engine, url: string): Promise<Tabs> {
    const profile = await mkdtemp(join(tmpdir(), `headwater-${engine}-`))
    return new Tabs(await launch(engine, profile), profile, url)
  }

  /** A new tab; it is the visible one. */
  async tab(): Promise<Tab> {
    const page = await this.browser.newPage()
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    await page.goto(this.url)
    const tab = new Tab(page)
    this.open.add(tab)
    return tab
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.open].map((tab) => tab.close()))
    this.open.clear()
  }

  async stop(): Promise<void> {
    await this.closeAll()
    await this.browser.close()
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** One tab, and the workers in it. */
export class Tab {
  private stopped: number | undefined

  constructor(readonly page: Page) {}

  /** Calls the driver in the page, or in a worker of it. */
  async drive<Method extends keyof Driver>(
    method: Method,
    args: Parameters<Driver[Method]>,
    worker?: string,
  ): Promise<Awaited<ReturnType<Driver[Method]>>> {
    const result = await this.page.evaluate(
      (worker, method, args) => realm.drive(worker, method, args),
      worker,
      method as keyof Driver,
      args as unknown[],
    )
    return result as Awaited<ReturnType<Driver[Method]>>
  }

  /** Joins a group; answers what names this life of the member. */
  join(joining: Joining, worker?: string): Promise<string> {
    return this.drive('join', [joining], worker)
  }

  async terminate(worker: string): Promise<void> {
    await this.page.evaluate((worker) => realm.terminate(worker), worker)
  }

  /** Makes this the visible tab. */
  async show(): Promise<void> {
    await this.page.bringToFront()
  }

  async reload(): Promise<void> {
    await this.page.reload()
  }

  /** As a user closes it: nobody is asked. */
  async close(): Promise<void> {
    this.resume()
    if (!this.page.isClosed()) await this.page.close().catch(() => undefined)
  }

  /** SIGKILLs the process that renders this tab. */
  async kill(): Promise<void> {
    process.kill(await this.pid(), 'SIGKILL')
  }

  /** SIGSTOPs the process that renders this tab. */
  async stop(): Promise<void> {
    this.stopped = await this.pid()
    process.kill(this.stopped, 'SIGSTOP')
  }

  resume(): void {
    if (this.stopped !== undefined) process.kill(this.stopped, 'SIGCONT')
    this.stopped = undefined
  }

  /** Freezes a hidden tab as the browser does, or thaws it. */
  async freeze(frozen = true): Promise<void> {
    await this.session(async (session) => {
      await session.send('Page.setWebLifecycleState', { state: frozen ? 'frozen' : 'active' })
    })
  }

  /** The process that renders this tab: a trace begins with a list of the frames and their processes. */
  private pid(): Promise<number> {
    return this.session(async (session) => {
      const pids: number[] = []
      session.on('Tracing.dataCollected', ({ value }) => {
        for (const { args } of value as { args?: { data?: { frames?: { processId: number }[] } } }[]) {
          pids.push(...(args?.data?.frames ?? []).map(({ processId }) => processId))
        }
      })
      const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve))
      await session.send('Tracing.start', {
        transferMode: 'ReportEvents',
        traceConfig: {
          excludedCategories: ['*'],
          includedCategories: ['disabled-by-default-devtools.timeline'],
        },
      })
      await session.send('Tracing.end')
      await complete
      const [pid] = pids
      if (pid === undefined) throw new Error('the trace names no process for this tab')
      return pid
    })
  }

  private async session<T>(work: (session: CDPSession) => Promise<T>): Promise<T> {
    const session = await this.page.createCDPSession()
    try {
      return await work(session)
    } finally {
      await session.detach().catch(() => undefined)
    }
  }
}
