import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CLI = new URL('../../../dist/cli.js', import.meta.url).pathname

/** A record as the collector reads it back. */
export interface StoredRecord {
  offset: string
  key: string | null
  value: string | null
}

/** The real `headwater collect` in a process of its own, over a folder that survives its death. */
export class CollectorProcess {
  private child: ChildProcess | undefined

  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  static async start(): Promise<CollectorProcess> {
    const collector = new CollectorProcess(await freePort(), await mkdtemp(join(tmpdir(), 'headwater-e2e-')))
    await collector.up()
    return collector
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Starts the process over the same folder and waits until it answers. */
  async up(): Promise<void> {
    const arguments_ = ['collect', '--port', String(this.port), '--host', '127.0.0.1', '--data', this.folder]
    this.child = spawn(process.execPath, [CLI, ...arguments_, '--write-key', 'e2e'], { stdio: 'ignore' })
    await until(async () => (await fetch(`${this.url}/healthz`)).ok, 'the collector answers')
  }

  /** SIGKILL: nothing is flushed, nobody is told. */
  async kill(): Promise<void> {
    const child = this.child
    if (child === undefined || child.exitCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }

  /** Every record of a partition, by the public API, a page at a time. */
  async records(topic: string, partition = 0): Promise<StoredRecord[]> {
    const records: StoredRecord[] = []
    for (;;) {
      const query = `partition=${partition}&offset=${records.length}&limit=1000`
      const response = await fetch(`${this.url}/v1/topics/${topic}/records?${query}`)
      if (response.status === 404) return records
      const page = (await response.json()) as { records: StoredRecord[] }
      if (page.records.length === 0) return records
      records.push(...page.records)
    }
  }

  /** The ids of the events that arrived, in the order of the log. */
  async ids(topic = 'events', partition = 0): Promise<string[]> {
    const records = await this.records(topic, partition)
    const events = records.map(({ value }) => JSON.parse(value ?? '{}') as { properties?: { id?: string } })
    return events.map((event) => event.properties?.id).filter((id) => id !== undefined)
  }

  /** Waits until `count` events have arrived; what arrives too much shows in the comparison that follows. */
  async arrived(count: number, topic = 'events'): Promise<string[]> {
    let ids: string[] = []
    await until(
      async () => {
        ids = await this.ids(topic)
        return ids.length >= count
      },
      () => `${count} events arrive (${ids.length} so far)`,
      120_000,
    )
    return ids
  }
}

/** Waits until a condition holds; it is the condition that ends the wait, the time only ends a failure. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  what: string | (() => string),
  milliseconds = 30_000,
): Promise<void> {
  const end = Date.now() + milliseconds
  for (;;) {
    try {
      if (await condition()) return
    } catch {
      // Not there yet: a refused connection is the usual first answer of a process that starts.
    }
    if (Date.now() > end) throw new Error(`waited in vain: ${typeof what === 'string' ? what : what()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}
