import { seeded } from '../harness/chance.ts'
import { library } from './app.ts'

/** What IndexedDB says of an open that failed: a name and a message. */
export type Damage = [name: string, message: string]

/** What goes wrong with a transaction. */
const FAULTS = ['closing', 'closed', 'torn', 'aborted', 'lost commit', 'lost write'] as const
type Fault = (typeof FAULTS)[number]

const LOST: Damage = [
  'UnknownError',
  'Connection to Indexed Database server lost. Refresh the page to try again',
]

/** Does to this page, below the API of IndexedDB, what browsers are known to do. */
class Weather {
  /** Every open fails like this, and no transaction can be begun. */
  dead: Damage | undefined
  /** How often a database was opened, or deleted. */
  opens = 0
  deletes = 0
  /** How often what went wrong. */
  readonly done: Record<string, number> = {}
  private chance: (() => number) | undefined
  /** What goes wrong next: each once, then all of them again, in another order. */
  private next: Fault[] = []
  /** So many transactions go well before. */
  private pause = 0
  /** So many opens fail from now on. */
  private shut = 0

  /** From now on a transaction in eight or so goes wrong, and where its connection goes with it, an open or two. */
  begin(seed: number): void {
    this.chance = seeded(seed)
  }

  end(): void {
    this.chance = undefined
    this.shut = 0
    this.dead = undefined
  }

  open(): Damage | undefined {
    this.opens++
    if (this.dead !== undefined) return this.dead
    if (this.shut === 0) return undefined
    this.shut--
    this.count('server lost')
    return LOST
  }

  transaction(): Fault | undefined {
    if (this.dead !== undefined) return 'closing'
    if (this.chance === undefined || this.pause-- > 0) return undefined
    if (this.next.length === 0) this.next = shuffled(FAULTS, this.chance)
    const fault = this.next.pop() as Fault
    this.count(fault)
    this.pause = 4 + Math.floor(this.chance() * 8)
    if (fault === 'closed' || fault === 'closing') this.shut = Math.floor(this.chance() * 3)
    return fault
  }

  private count(what: string): void {
    this.done[what] = (this.done[what] ?? 0) + 1
  }
}

function shuffled<T>(all: readonly T[], chance: () => number): T[] {
  return all
    .map((each) => [chance(), each] as const)
    .toSorted(([one], [other]) => one - other)
    .map(([, each]) => each)
}

const weather = new Weather()
const { open, deleteDatabase } = IDBFactory.prototype
const { transaction } = IDBDatabase.prototype

IDBFactory.prototype.open = function (...given) {
  const damage = weather.open()
  return damage === undefined ? open.apply(this, given) : failing(...damage)
}

IDBFactory.prototype.deleteDatabase = function (...given) {
  weather.deletes++
  return deleteDatabase.apply(this, given)
}

IDBDatabase.prototype.transaction = function (...given) {
  const fault = weather.transaction()
  if (fault === 'closing') throw new DOMException('The database connection is closing.', 'InvalidStateError')
  const begun = transaction.apply(this, given)
  if (fault !== undefined) spoil(this, begun, fault)
  return begun
}

/** A request to open that fails. */
function failing(name: string, message: string): IDBOpenDBRequest {
  const request = Object.create(IDBOpenDBRequest.prototype)
  for (const handler of ['onsuccess', 'onerror', 'onblocked', 'onupgradeneeded']) {
    Object.defineProperty(request, handler, { value: null, writable: true })
  }
  Object.defineProperty(request, 'error', { value: new DOMException(message, name) })
  setTimeout(() => request.onerror?.(new Event('error', { cancelable: true })), 0)
  return request
}

/** The error of a transaction is another one than the engine's own. */
function blame(transaction: IDBTransaction, name: string, message: string): void {
  Object.defineProperty(transaction, 'error', { value: new DOMException(message, name) })
}

function spoil(database: IDBDatabase, transaction: IDBTransaction, fault: Fault): void {
  const commit = () => IDBTransaction.prototype.commit.call(transaction)
  switch (fault) {
    case 'closed':
      // What is under way ends well, and the page hears that its connection is gone.
      database.close()
      setTimeout(() => database.dispatchEvent(new Event('close')), 0)
      break
    case 'torn':
      blame(
        transaction,
        'UnknownError',
        'Attempt to get a record from database without an in-progress transaction',
      )
      queueMicrotask(() => abort(transaction))
      break
    case 'aborted':
      queueMicrotask(() => abort(transaction))
      break
    case 'lost commit':
      transaction.commit = () => {
        commit()
        transaction.dispatchEvent(new Event('abort'))
      }
      break
    case 'lost write':
      transaction.commit = () => {
        blame(
          transaction,
          'UnknownError',
          'Attempt to put a record in database without an in-progress transaction',
        )
        abort(transaction)
      }
      break
  }
}

/** It may have ended by itself. */
function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort()
  } catch {
    // It has.
  }
}

declare global {
  /** What the tests let happen to this page's storage. */
  var storm: Weather
}

globalThis.headwater = library
globalThis.storm = weather
