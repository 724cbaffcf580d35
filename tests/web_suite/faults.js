// What goes wrong in real browsers and cannot be provoked from a page: each fault stands in for one of them by
// replacing a method until `restore`.

const replaced = []

function replace(object, name, value) {
  replaced.push([object, name, Object.getOwnPropertyDescriptor(object, name)])
  Object.defineProperty(object, name, { value, configurable: true, writable: true })
}

/** Replaces a method for the next `times` calls. */
function replaceFor(times, object, name, fault) {
  const original = object[name]
  let left = times
  replace(object, name, function (...args) {
    return left-- > 0 ? fault.call(this, original, args) : original.apply(this, args)
  })
}

export function restore() {
  while (replaced.length > 0) {
    const [object, name, descriptor] = replaced.pop()
    if (descriptor) Object.defineProperty(object, name, descriptor)
    else delete object[name]
  }
  calls.length = 0
  connections.clear()
}

/** What the page's last resort for errors has seen. */
export const uncaught = () => {
  const seen = uncaughtSeen.splice(0)
  return seen.join('; ')
}
const uncaughtSeen = []
globalThis.addEventListener?.('error', (event) => uncaughtSeen.push(`error ${event.message}`))
globalThis.addEventListener?.('unhandledrejection', (event) => uncaughtSeen.push(`rejection ${event.reason}`))

/** Resolves after the events that are due have been told. */
export const settle = () => new Promise((resolve) => setTimeout(resolve, 50))

// Transactions

/** The handle is closing: transactions cannot be begun on it. */
export function closingHandle(times) {
  replaceFor(times, IDBDatabase.prototype, 'transaction', () => {
    throw new DOMException('The database connection is closing.', 'InvalidStateError')
  })
}

/** The browser aborts transactions that nobody asked it to abort. */
export function abortUnasked(times) {
  replaceFor(times, IDBObjectStore.prototype, 'get', function (original, args) {
    const request = original.apply(this, args)
    queueMicrotask(() => this.transaction.abort())
    return request
  })
}

/** The same, in the very moment in which the rows are there. */
export function abortUnderTheRows(times) {
  replaceFor(times, IDBObjectStore.prototype, 'get', function (original, args) {
    const request = original.apply(this, args)
    request.addEventListener('success', () => this.transaction.abort())
    return request
  })
}

/** The engine lost the transaction under a live connection, and says so of the request. */
export function failGet(times, name, message) {
  replaceFor(times, IDBObjectStore.prototype, 'get', function (original, args) {
    const request = original.apply(this, args)
    Object.defineProperty(request, 'error', { value: new DOMException(message, name) })
    const { transaction } = this
    request.addEventListener('success', (event) => {
      event.stopImmediatePropagation()
      let heard = false
      transaction.addEventListener('error', () => (heard = true), { once: true })
      request.dispatchEvent(new Event('error', { bubbles: true, cancelable: true }))
      // In WebKit what a page dispatches does not bubble.
      if (!heard) transaction.dispatchEvent(new Event('error', { cancelable: true }))
    })
    return request
  })
}

/** The connection dies while the commit is under way: the page hears of an abort, and the rows are there. */
export function dieInCommit(times, name) {
  insteadOfComplete(times, (transaction) => {
    if (name) Object.defineProperty(transaction, 'error', { value: new DOMException('lost', name) })
    transaction.dispatchEvent(new Event('abort'))
  })
}

/** The commit goes through, and nobody ever hears of it. */
export function silentCommit(times) {
  insteadOfComplete(times, () => undefined)
}

function insteadOfComplete(times, told) {
  replaceFor(times, IDBDatabase.prototype, 'transaction', function (original, args) {
    const transaction = original.apply(this, args)
    transaction.addEventListener('complete', (event) => {
      event.stopImmediatePropagation()
      told(transaction)
    })
    return transaction
  })
}

/** The browser refuses the commit, where the page has asked for it and where that is left to the browser. */
export function refuseCommit(times, name) {
  const refuse = (transaction) => {
    transaction.abort()
    Object.defineProperty(transaction, 'error', { value: new DOMException('refused', name) })
  }
  if (commits()) {
    replaceFor(times, IDBTransaction.prototype, 'commit', function () {
      refuse(this)
    })
    return
  }
  let left = times
  for (const write of ['put', 'delete']) {
    const original = IDBObjectStore.prototype[write]
    replace(IDBObjectStore.prototype, write, function (...args) {
      if (left-- > 0) queueMicrotask(() => refuse(this.transaction))
      return original.apply(this, args)
    })
  }
}

/** Whether the page may ask for commits: see `Connection::commits`. */
export const commits = () => typeof InternalError === 'undefined'

/** What the browser says of the origin's room; WebKitGTK never does. */
export function estimate(usage, quota) {
  const answer = async () => ({ usage, quota })
  if (navigator.storage) replace(Object.getPrototypeOf(navigator.storage), 'estimate', answer)
  else replace(navigator, 'storage', { estimate: answer })
}

// Connections

/** A request that answers when the test says so. */
function openRequest(properties) {
  const request = Object.create(IDBOpenDBRequest.prototype)
  for (const handler of ['onsuccess', 'onerror', 'onblocked', 'onupgradeneeded']) {
    Object.defineProperty(request, handler, { value: null, writable: true })
  }
  return Object.defineProperties(request, properties)
}

/** Opening fails with an error event. */
export function failOpen(times, name, message) {
  replaceFor(times, IDBFactory.prototype, 'open', () => {
    const request = openRequest({ error: { value: new DOMException(message, name) } })
    setTimeout(() => request.onerror(new Event('error', { cancelable: true })), 0)
    return request
  })
}

/** Opening succeeds, and the page hears of it when nobody waits any more. */
export function openLate(times, ms) {
  replaceFor(times, IDBFactory.prototype, 'open', function (original, args) {
    const real = original.apply(this, args)
    const request = openRequest({ error: { value: null }, result: { get: () => real.result } })
    real.onupgradeneeded = (event) => request.onupgradeneeded(event)
    setTimeout(() => request.onsuccess(new Event('success')), ms)
    return request
  })
}

/** Opening throws. */
export function throwOnOpen(times, name) {
  replaceFor(times, IDBFactory.prototype, 'open', () => {
    throw new DOMException('The operation is insecure.', name)
  })
}

/** Opening asks for another version, as a page with a newer or older headwater does. */
export function openVersion(times, version) {
  replaceFor(times, IDBFactory.prototype, 'open', function (original, [name]) {
    return original.call(this, name, version)
  })
}

/** A global that is not there. */
export function withoutGlobal(name) {
  replace(globalThis, name, undefined)
}

export function withoutLocks() {
  replace(Object.getPrototypeOf(navigator), 'locks', undefined)
}

/** The browser closes the oldest connection that `watch` has seen, as when the user clears the site's data. */
export function closeConnection() {
  const [connection] = connections
  connections.delete(connection)
  connection.close()
  connection.dispatchEvent(new Event('close'))
}
const connections = new Set()

const calls = []
/** What was asked of IndexedDB since `watch`, in order. */
export const seen = () => calls.join(' ')

/** Notes what is asked of IndexedDB, and by which connections. */
export function watch() {
  const note = (object, name, text) => {
    const original = object[name]
    replace(object, name, function (...args) {
      try {
        const result = original.apply(this, args)
        calls.push(text(result, this))
        return result
      } catch (thrown) {
        calls.push(thrown.name)
        throw thrown
      }
    })
  }
  note(IDBFactory.prototype, 'open', () => 'open')
  note(IDBFactory.prototype, 'deleteDatabase', () => 'delete')
  note(IDBDatabase.prototype, 'transaction', (transaction, connection) => {
    connections.add(connection)
    transaction.addEventListener('complete', () => calls.push('complete'))
    connection.onabort = () => calls.push('abort')
    // The last to hear of an error, after the storage's own handlers.
    queueMicrotask(() => connection.addEventListener('error', judge))
    return `${transaction.mode}:${transaction.durability}`
  })
  note(IDBObjectStore.prototype, 'add', () => 'add')
  note(IDBTransaction.prototype, 'commit', () => 'commit')
  note(IDBObjectStore.prototype, 'get', (request) => {
    request.addEventListener('success', () => calls.push('got'))
    return 'get'
  })
}

/** Firefox tells the page of what nobody prevented. Elsewhere it is harmless, and behind a commit what aborts. */
const judge = (event) => {
  if (!commits() && !event.defaultPrevented) uncaughtSeen.push(`unprevented ${event.target.error?.name}`)
}

/** Timers that are due twenty times sooner: an open takes a tenth of a second now and then. */
export function fastTimers() {
  const original = globalThis.setTimeout
  replace(globalThis, 'setTimeout', (handler, ms, ...args) => original(handler, ms / 20, ...args))
}

// Another tab

/** Another connection to the database; `polite` ones close where another version is wanted. */
export const openOther = (name, version, polite) =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open(`headwater/${name}`, version)
    request.onerror = () => reject(request.error)
    request.onupgradeneeded = () => {
      const database = request.result
      if (database.objectStoreNames.length === 0) database.createObjectStore('topics')
    }
    request.onsuccess = () => {
      if (polite) request.result.onversionchange = () => request.result.close()
      resolve(request.result)
    }
  })

/** Deletes the database; answers whether a connection stood in the way. */
export const wipe = (name) =>
  new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`headwater/${name}`)
    let blocked = false
    request.onblocked = () => (blocked = true)
    request.onerror = () => reject(request.error)
    request.onsuccess = () => resolve(blocked)
  })

/** Holds a read-write transaction open until the function that it answers is called. */
export const hold = (database) =>
  new Promise((resolve) => {
    const store = database.transaction(['topics'], 'readwrite').objectStore('topics')
    let held = true
    const next = () => {
      if (held) store.get('none').onsuccess = next
    }
    store.get('none').onsuccess = () => {
      next()
      resolve(() => (held = false))
    }
  })

/** The locks of the origin: `held <names> pending <names>`. */
export const locks = async () => {
  const { held, pending } = await navigator.locks.query()
  const names = (list) => list.map((lock) => lock.name).sort()
  return `held ${names(held).join()} pending ${names(pending).join()}`
}

/** Says something that is not a headwater message on the channel. */
export const chatter = (name) => {
  const channel = new BroadcastChannel(`headwater/${name}`)
  channel.postMessage('hello')
  channel.postMessage({ not: 'ours' })
  setTimeout(() => channel.close(), 1000)
}

/** A database as an earlier version left it: its stores, and rows of store, key and value in hex. */
export const seed = (name, version, format) =>
  new Promise((resolve, reject) => {
    const { rows } = JSON.parse(format)
    const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
    const request = indexedDB.open(`headwater/${name}`, version)
    const stores = ['meta', 'topics', 'partitions', 'batches', 'producers', 'groups', 'offsets', 'deliveries']
    request.onerror = () => reject(request.error)
    request.onupgradeneeded = () => {
      for (const store of stores) request.result.createObjectStore(store)
    }
    request.onsuccess = () => {
      const transaction = request.result.transaction(stores, 'readwrite')
      for (const [store, key, value] of rows) transaction.objectStore(store).put(bytes(value), bytes(key))
      transaction.oncomplete = () => {
        request.result.close()
        resolve()
      }
    }
  })
