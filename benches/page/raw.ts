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

const ACTIONS = ['viewed', 'added', 'removed', 'bought', 'searched', 'shared']
const WORDS =
  'a cart of shoes that was left open by its owner while two more pages were loading slowly over bad radio'.split(
    ' ',
  )

/**
 * Events as pages send them: JSON of exactly so many bytes each, no two alike. Browsers compress what they store, so
 * that a thousand times the same bytes, or bytes by chance, would measure something that no page does.
 */
export function events(count: number, bytes: number): Uint8Array[] {
  const encoder = new TextEncoder()
  const pick = (words: string[]) => words[Math.floor(Math.random() * words.length)] ?? ''
  return Array.from({ length: count }, (_, index) => {
    const event = JSON.stringify({ id: crypto.randomUUID(), event: pick(ACTIONS), item: index })
    let text = `${event.slice(0, -1)},"text":"`
    while (text.length < bytes - 2) text += `${pick(WORDS)} `
    return encoder.encode(`${text.slice(0, bytes - 2)}"}`)
  })
}

/**
 * One row that weighs what a batch of these records weighs, with the same content: what somebody would put who has
 * encoded it already. So both sides begin with bytes, and what headwater does to them counts, its CRC too. Each record
 * begins with its length.
 */
export function rawBatch(values: Uint8Array[]): Uint8Array {
  const batch = new Uint8Array(values.reduce((total, { length }) => total + RECORD_OVERHEAD + length, 0))
  const view = new DataView(batch.buffer)
  let at = 0
  for (const value of values) {
    view.setUint32(at, value.length)
    batch.set(value, at + RECORD_OVERHEAD)
    at += RECORD_OVERHEAD + value.length
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
