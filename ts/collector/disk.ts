import type { ClassicLevel } from 'classic-level'
import { type Change, compareBytes, type Row, type Scan, type Store } from './store.ts'

type Database = ClassicLevel<Uint8Array, Uint8Array>
type Operation = { type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array }

/** LevelDB counts in 32 bits; beyond them there is no limit. */
const LIMIT_MAX = 2 ** 31 - 1

/**
 * Opens the log in a folder, which is created where it is missing. It is LevelDB, by the package `classic-level`:
 * one folder, one process, and a write is on disk when it resolves.
 */
export async function openDiskStore(folder: string): Promise<Store> {
  const { ClassicLevel } = await load()
  const database: Database = new ClassicLevel(folder, { keyEncoding: 'view', valueEncoding: 'view' })
  try {
    await database.open()
  } catch (error) {
    throw explained(error, folder)
  }
  return new DiskStore(database)
}

/** Said so that no bundler sees it: native code cannot be bundled, and a bundle for Workers has no use for it. */
const [PACKAGE = ''] = ['classic-level']

async function load(): Promise<typeof import('classic-level')> {
  try {
    return await import(PACKAGE)
  } catch (cause) {
    const message =
      `the collector keeps its log on disk by the optional package "${PACKAGE}", which is not installed here or ` +
      `does not run on this platform: npm install ${PACKAGE}`
    throw new Error(message, { cause })
  }
}

function explained(error: unknown, folder: string): Error {
  const cause =
    error instanceof Error ? (error.cause as { code?: string; message?: string } | undefined) : undefined
  const reason =
    cause?.code === 'LEVEL_LOCKED'
      ? 'another process has it open, and a log belongs to one collector'
      : (cause?.message ?? String(error))
  return new Error(`the log in ${folder} cannot be opened: ${reason}`, { cause: error })
}

class DiskStore implements Store {
  /** After a failed write LevelDB refuses all others until it was opened again. */
  private failed = false
  private healing: Promise<void> | undefined

  constructor(private readonly database: Database) {}

  async read(scans: readonly Scan[]): Promise<Row[][]> {
    await this.heal()
    const snapshot = this.database.snapshot()
    try {
      return await Promise.all(scans.map((scan) => this.find(scan, snapshot)))
    } finally {
      await snapshot.close()
    }
  }

  async write(changes: readonly Change[], durable: boolean): Promise<void> {
    await this.heal()
    const operations: Operation[] = []
    for (const change of changes) {
      if (!('key' in change)) operations.push(...(await this.deletions(change.from, change.to, operations)))
      else if (change.value === undefined) operations.push({ type: 'del', key: change.key })
      else operations.push({ type: 'put', key: change.key, value: change.value })
    }
    try {
      await this.database.batch(operations, { sync: durable })
    } catch (error) {
      this.failed = true
      throw error
    }
  }

  async close(): Promise<void> {
    await this.database.close()
  }

  private async find(scan: Scan, snapshot: ReturnType<Database['snapshot']>): Promise<Row[]> {
    if ('key' in scan) {
      const value = await this.database.get(scan.key, { snapshot })
      return value === undefined ? [] : [[scan.key, value]]
    }
    const { from, to, reverse } = scan
    if (compareBytes(from, to) >= 0) return []
    const limit = scan.limit > LIMIT_MAX ? -1 : scan.limit
    return this.database.iterator({ gte: from, lt: to, limit, reverse, snapshot }).all()
  }

  /** What deletes a range: the rows that are there, and those that the same transaction puts there. */
  private async deletions(
    from: Uint8Array,
    to: Uint8Array,
    earlier: readonly Operation[],
  ): Promise<Operation[]> {
    if (compareBytes(from, to) >= 0) return []
    const stored = await this.database.keys({ gte: from, lt: to }).all()
    const inside = ({ key }: Operation) => compareBytes(from, key) <= 0 && compareBytes(key, to) < 0
    const keys = [...stored, ...earlier.filter(inside).map(({ key }) => key)]
    return keys.map((key) => ({ type: 'del', key }))
  }

  private async heal(): Promise<void> {
    if (!this.failed) return
    this.healing ??= this.reopen().finally(() => {
      this.healing = undefined
    })
    await this.healing
  }

  private async reopen(): Promise<void> {
    await this.database.close()
    await this.database.open()
    this.failed = false
  }
}
