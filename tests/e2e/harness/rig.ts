import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { Described, Joining, Step, Told } from '../pages/member.ts'
import { until } from './collector.ts'
import type { Engine } from './engines.ts'
import { Ledger } from './ledger.ts'
import { PageServer } from './pages.ts'
import { type Tab, Tabs } from './tabs.ts'

const ENTRY = fileURLToPath(new URL('../pages/realm.ts', import.meta.url))

type How = Pick<Joining, 'config' | 'single' | 'concurrency' | 'threshold'>

/** A tab that hosts a member, in its page or in a worker. */
export interface Seat {
  readonly name: string
  readonly tab: Tab
  readonly worker: string | undefined
  /** How its member is made. */
  readonly how: How
  /** Names what it tells the ledger until it begins anew. */
  life: string
}

// A renderer that is stopped inside a transaction keeps everybody else out of its stores until Chromium aborts it:
// after 60 s (measured, the same for reads and writes). Hidden tabs that are to try again then wake once a minute.
const SETTLED_MS = 150_000

/** A group in a browser: its members in tabs, a tab beside it that sends and looks, and the ledger of what was handled. */
export class Rig {
  ledger: Ledger = new Ledger()
  groupId = ''
  topic = ''
  partitions = 0
  sent = 0
  private desk: Tab | undefined
  private runs = 0

  private constructor(
    readonly server: PageServer,
    readonly tabs: Tabs,
  ) {}

  static async start(engine: Engine): Promise<Rig> {
    let rig: Rig | undefined
    const server = await PageServer.start(ENTRY, async (body) => rig?.ledger.tell(JSON.parse(body) as Told))
    rig = new Rig(server, await Tabs.start(engine, server.url))
    return rig
  }

  async stop(): Promise<void> {
    await this.tabs.stop()
    await this.server.stop()
  }

  /** A topic and a group that nobody has used, and a tab that sends to the one and looks at the other. */
  async begin(partitions = 12): Promise<void> {
    this.runs += 1
    this.ledger = new Ledger()
    this.groupId = `group-${this.runs}`
    this.topic = `topic-${this.runs}`
    this.partitions = partitions
    this.sent = 0
    this.desk = await this.tabs.tab()
    await this.desk.drive('createTopic', [this.topic, partitions])
  }

  /** Closes all tabs; what must not be in any test fails this one. */
  async end(): Promise<void> {
    const { complaints } = this.tabs
    const told = [...complaints, ...this.ledger.crashes]
    complaints.length = 0
    await this.tabs.closeAll()
    expect(told).toEqual([])
  }

  /** A member in a tab of its own, or in a worker or page of a given one. */
  async join(
    name: string,
    { tab, worker, ...how }: { tab?: Tab; worker?: string } & How = {},
  ): Promise<Seat> {
    const seat = { name, tab: tab ?? (await this.tabs.tab()), worker, how, life: '' }
    await this.rejoin(seat)
    return seat
  }

  /** The member of a page that was loaded anew. */
  async rejoin(seat: Seat): Promise<void> {
    const { name, tab, worker, how } = seat
    const { groupId, topic } = this
    seat.life = await tab.join({ name, groupId, topic, ...how }, worker)
  }

  leave({ name, tab, worker }: Seat): Promise<void> {
    return tab.drive('leave', [name], worker)
  }

  async reload(seat: Seat): Promise<void> {
    this.over(seat)
    await seat.tab.reload()
    await this.rejoin(seat)
  }

  async close(seat: Seat): Promise<void> {
    this.over(seat)
    await seat.tab.close()
  }

  async kill(seat: Seat): Promise<void> {
    this.over(seat)
    await seat.tab.kill()
  }

  /** This life of the member has no chance any more to commit what it has in hand. */
  over({ life }: Seat): void {
    this.ledger.over(life)
  }

  /** A member that was suspended goes on: what it does from now on counts like anybody's. */
  async renew(seat: Seat): Promise<void> {
    seat.life = await seat.tab.drive('renew', [seat.name], seat.worker)
  }

  /** Brings a tab that is no member's to the front: all members are hidden. */
  async hideAll(): Promise<void> {
    await this.at().show()
  }

  async send(count: number): Promise<void> {
    const from = this.sent
    this.sent += count
    await this.at().drive('send', [this.topic, this.partitions, from, this.sent])
  }

  describe(): Promise<Described> {
    return this.at().drive('describe', [this.groupId])
  }

  assignment({ name, tab, worker }: Seat): Promise<number[]> {
    return tab.drive('assignment', [name], worker)
  }

  steps({ name, tab, worker }: Seat): Promise<Step[]> {
    return tab.drive('steps', [name], worker)
  }

  /** The seat in whose realm the group is coordinated. */
  async coordinator(seats: readonly Seat[]): Promise<Seat | undefined> {
    for (const seat of seats) {
      if (await seat.tab.drive('coordinates', [this.groupId], seat.worker)) return seat
    }
    return undefined
  }

  /**
   * Waits until the group is stable with exactly these members, and each has what the group says that it has; answers
   * the group. Every partition has one owner, and none has more than one more than another.
   */
  async settled(...seats: Seat[]): Promise<Described> {
    const names = seats.map(({ name }) => name).toSorted()
    let last: unknown
    await until(
      async () => {
        const group = await this.describe()
        const own = await Promise.all(
          seats.map(async (seat) => [seat.name, await this.assignment(seat)] as const),
        )
        last = { group, own: Object.fromEntries(own), crashes: this.ledger.crashes }
        const listed = group.members.map(({ name }) => name).toSorted()
        if (group.state !== 'Stable' || String(listed) !== String(names)) return false
        return own.every(
          ([name, partitions]) => String(sorted(partitions)) === String(sorted(owned(group, name))),
        )
      },
      () => `the group settles with ${names}: ${JSON.stringify(last)}`,
      SETTLED_MS,
    )
    const group = await this.describe()
    const all = group.members.flatMap(({ partitions }) => partitions)
    expect(sorted(all), 'one owner a partition').toEqual(
      Array.from({ length: this.partitions }, (_, each) => each),
    )
    const counts = group.members.map(({ partitions }) => partitions.length)
    expect(Math.max(...counts) - Math.min(...counts), `shares ${counts}`).toBeLessThanOrEqual(1)
    return group
  }

  /** Waits until everything that was sent was handled and committed; then nothing may be wrong with how. */
  async drained(): Promise<void> {
    let lags: number[] = []
    await until(
      async () => {
        if (this.ledger.handled < this.sent) return false
        lags = await this.at().drive('lags', [this.groupId, this.topic])
        return lags.every((lag) => lag === 0)
      },
      () => `${this.sent} records are handled (${this.ledger.handled}) and committed (lags ${lags})`,
      120_000,
    )
    expect(this.ledger.handled).toBe(this.sent)
    expect(this.ledger.complaints(this.sent, this.partitions)).toEqual([])
  }

  private at(): Tab {
    if (this.desk === undefined) throw new Error('begin() comes first')
    return this.desk
  }
}

export function owned(group: Described, name: string): number[] {
  return group.members.find((each) => each.name === name)?.partitions ?? []
}

export function sorted(numbers: readonly number[]): number[] {
  return numbers.toSorted((one, other) => one - other)
}
