/** The browser's own means, which everything is compared with. */

export type Durability = 'relaxed' | 'strict'

/** What a stored record weighs beside its value. */
export const RECORD_OVERHEAD = 12

export function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1)
    request.onupgradeneeded = () => request.result.createObjectStore('rows')
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

export function transact(
  database: IDBDatabase,
  durability: Durability,
  work: (store: IDBObjectStore) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction('rows', 'readwrite', { durability })
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    work(transaction.objectStore('rows'))
  })
}

/** The rows whose keys are `from` to `to`. */
export function rows(database: IDBDatabase, from: number, to: number): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const request = database.transaction('rows').objectStore('rows').getAll(IDBKeyRange.bound(from, to))
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** The time, comparable with that of other tabs and of Node.js. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

/** Bytes that do not compress: databases do. */
export function payload(bytes: number): Uint8Array {
  const value = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(value.subarray(at, at + 65_536))
  return value
}

/** One row that weighs what a batch of these records weighs, with the same content. Each begins with its length. */
export function rawBatch(value: Uint8Array, records: number): Uint8Array {
  const stride = value.length + RECORD_OVERHEAD
  const batch = new Uint8Array(stride * records)
  const view = new DataView(batch.buffer)
  for (let index = 0; index < records; index++) {
    view.setUint32(index * stride, value.length)
    batch.set(value, index * stride + RECORD_OVERHEAD)
  }
  return batch
}

/** The least that somebody could write by hand: an object for each record of a row, to an awaited handler. */
export async function handEach(
  row: Uint8Array,
  handler: (message: { offset: string; value: Uint8Array }) => Promise<void>,
): Promise<void> {
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength)
  for (let at = 0, index = 0; at < row.length; index++) {
    const start = at + RECORD_OVERHEAD
    at = start + view.getUint32(at)
    await handler({ offset: String(index), value: row.subarray(start, at) })
  }
}
