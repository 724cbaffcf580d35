import { type Change, compareBytes, type Row, type Scan, type Store } from './store.ts'

/** A store that keeps nothing over the end of the process: for tests, and to try a collector out. */
export function memoryStore(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  /** In the order of their keys. */
  private readonly rows: Row[] = []

  async read(scans: readonly Scan[]): Promise<Row[][]> {
    return scans.map((scan) => this.find(scan))
  }

  async write(changes: readonly Change[], _durable: boolean): Promise<void> {
    for (const change of changes) this.apply(change)
  }

  async close(): Promise<void> {
    this.rows.length = 0
  }

  private find(scan: Scan): Row[] {
    if ('key' in scan) {
      const row = this.rows[this.place(scan.key)]
      return row !== undefined && compareBytes(row[0], scan.key) === 0 ? [row] : []
    }
    const start = this.place(scan.from)
    const end = Math.max(start, this.place(scan.to))
    if (!scan.reverse) return this.rows.slice(start, Math.min(end, start + scan.limit))
    return this.rows.slice(Math.max(start, end - scan.limit), end).reverse()
  }

  private apply(change: Change): void {
    if (!('key' in change)) {
      const start = this.place(change.from)
      this.rows.splice(start, Math.max(0, this.place(change.to) - start))
      return
    }
    const { key, value } = change
    const place = this.place(key)
    const row = this.rows[place]
    const there = row !== undefined && compareBytes(row[0], key) === 0
    this.rows.splice(place, there ? 1 : 0, ...(value === undefined ? [] : [[key, value] as const]))
  }

  /** Where the first key is that is not less. */
  private place(key: Uint8Array): number {
    let low = 0
    let high = this.rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const row = this.rows[middle]
      if (row !== undefined && compareBytes(row[0], key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
