/** Where a collector keeps its log: a sorted map of bytes, whoever keeps it. */

/** A row: its key and its value. Keys order as their bytes do. */
export type Row = readonly [key: Uint8Array, value: Uint8Array]

/** What to find: the row of a key, or at most `limit` rows with `from <= key < to`, the last ones if `reverse`. */
export type Scan =
  | { readonly key: Uint8Array }
  | { readonly from: Uint8Array; readonly to: Uint8Array; readonly limit: number; readonly reverse: boolean }

/** What to change: a row gets a value, or goes where there is none, or all rows with `from <= key < to` go. */
export type Change =
  | { readonly key: Uint8Array; readonly value?: Uint8Array }
  | { readonly from: Uint8Array; readonly to: Uint8Array }

/**
 * A store. It belongs to one collector alone, which writes one transaction at a time and may read meanwhile.
 * `headwater/collector` has {@link openDiskStore} and {@link memoryStore}; a Durable Object can be another.
 */
export interface Store {
  /** Finds the rows of each scan, all as of one moment. */
  read(scans: readonly Scan[]): Promise<Row[][]>
  /**
   * Carries out the changes in order, all of them or none. It resolves when they can be read, and, where
   * `durable`, when they survive a power cut: everything that a collector acknowledges rests on this promise.
   */
  write(changes: readonly Change[], durable: boolean): Promise<void>
  /** Ends its use. */
  close(): Promise<void>
}

/** Compares bytes as keys are compared. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shorter = Math.min(left.length, right.length)
  for (let index = 0; index < shorter; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
