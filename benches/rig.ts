import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { Browser } from '../tests/e2e/harness/browser.ts'
import { PageServer } from '../tests/e2e/harness/pages.ts'
import type { Bench } from './page/index.ts'

/** The time, comparable with that of pages. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

/** A browser of its own for one part of the bench, and what its tabs are loaded from. */
export class Rig {
  private constructor(
    private readonly server: PageServer,
    private readonly browser: Browser,
  ) {}

  static async start(): Promise<Rig> {
    const server = await PageServer.start(fileURLToPath(new URL('./page/index.ts', import.meta.url)))
    return new Rig(server, await Browser.start())
  }

  async tab(): Promise<Tab> {
    return new Tab(await this.browser.tab(this.server.url))
  }

  tabs(count: number): Promise<Tab[]> {
    return Promise.all(Array.from({ length: count }, () => this.tab()))
  }

  /** Nanoseconds of processor that the whole browser has used: its tabs, its storage, its channels. */
  processor(): number {
    return this.browser.processes().reduce((total, pid) => total + nanoseconds(pid), 0)
  }

  async stop(): Promise<void> {
    await this.browser.stop()
    await this.server.stop()
  }
}

/** One tab, and the process that renders it. */
export class Tab {
  private process: number | undefined
  /** Rejects where a script of the page fails: what is waited for may then never come. */
  private readonly failed: Promise<never>

  constructor(private readonly page: Page) {
    this.failed = new Promise((_, reject) => page.once('pageerror', reject))
    this.failed.catch(() => undefined)
  }

  /** Calls a function of `page/index.ts` in the tab. */
  async call<Name extends keyof Bench>(
    name: Name,
    ...args: Parameters<Bench[Name]>
  ): Promise<Awaited<ReturnType<Bench[Name]>>> {
    const call = `bench.${name}(${args.map((each) => JSON.stringify(each)).join(', ')})`
    return (await Promise.race([this.page.evaluate(call), this.failed])) as Awaited<ReturnType<Bench[Name]>>
  }

  /** The process that renders this tab: a trace begins with the list of the frames and their processes. */
  async pid(): Promise<number> {
    this.process ??= await tracedPid(this.page)
    return this.process
  }

  /** Kilobytes that only this tab's process has in memory. */
  async memory(): Promise<number> {
    const rollup = readFileSync(`/proc/${await this.pid()}/smaps_rollup`, 'utf8')
    const kilobytes = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)].map(([, number]) => Number(number))
    return kilobytes.reduce((total, each) => total + each, 0)
  }

  /** Drops garbage, so that memory is what is kept. */
  async collect(): Promise<void> {
    const session = await this.page.context().newCDPSession(this.page)
    await session.send('HeapProfiler.collectGarbage')
    await session.detach()
  }

  /** SIGKILLs the process of this tab, and answers when. The tab is closed once the browser has seen it crash. */
  async kill(): Promise<number> {
    const pid = await this.pid()
    const crashed = this.page.waitForEvent('crash')
    const at = now()
    process.kill(pid, 'SIGKILL')
    await crashed
    return at
  }

  async close(): Promise<void> {
    await this.page.close()
  }
}

interface Traced {
  args?: { data?: { frames?: { processId: number }[] } }
}

async function tracedPid(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  const pids: number[] = []
  session.on('Tracing.dataCollected', ({ value }) => {
    for (const { args } of value as Traced[]) {
      pids.push(...(args?.data?.frames ?? []).map(({ processId }) => processId))
    }
  })
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve))
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { excludedCategories: ['*'], includedCategories: ['disabled-by-default-devtools.timeline'] },
  })
  await session.send('Tracing.end')
  await complete
  await session.detach()
  const [pid] = pids
  if (pid === undefined) throw new Error('the trace names no process for this tab')
  return pid
}

/** The first number of a thread's `schedstat` is the time that it ran. */
function nanoseconds(pid: number): number {
  const threads = read(() => readdirSync(`/proc/${pid}/task`)) ?? []
  const times = threads.map((thread) =>
    read(() => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')),
  )
  return times.reduce((total, text) => total + Number(text?.split(' ')[0] ?? 0), 0)
}

/** What a process tells of itself; nothing where it is gone. */
function read<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
