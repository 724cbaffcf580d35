import { afterAll, beforeAll, expect, test } from 'vitest'
import { seeded } from './harness/chance.ts'
import { Rig, type Seat } from './harness/rig.ts'

const RECORDS = 20_000
const TABS = 8
const SOAK = process.env['HEADWATER_SOAK'] === '1'
/** For how long the records flow. */
const SECONDS = SOAK ? 600 : 20
/** Chooses what happens to whom; a soak chooses anew each time. */
const SEED = Number(process.env['HEADWATER_SEED'] ?? (SOAK ? Date.now() % 1_000_000 : 4))

let rig: Rig

beforeAll(async () => {
  rig = await Rig.start('chromium')
  await rig.begin()
})
afterAll(async () => rig?.stop())

/** Tabs, some with a worker, that come and go. */
class Storm {
  readonly done: Record<string, number> = {}
  private readonly tabs = new Map<number, Seat>()
  private readonly workers = new Map<number, Seat>()
  private readonly chance = seeded(SEED)

  get seats(): Seat[] {
    return [...this.tabs.values(), ...this.workers.values()]
  }

  /** Something happens to one of the tabs, or to one of the workers, which live in the first two. */
  async next(): Promise<void> {
    const slot = this.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    if (slot < TABS) await this.tab(slot)
    else await this.worker(slot - TABS)
  }

  /** Everybody is there. */
  async fill(): Promise<void> {
    for (let slot = 0; slot < TABS; slot++) if (!this.tabs.has(slot)) await this.tab(slot)
    for (const slot of [0, 1]) if (!this.workers.has(slot)) await this.worker(slot)
  }

  private async tab(slot: number): Promise<void> {
    const seat = this.tabs.get(slot)
    if (seat === undefined) {
      this.count('start')
      this.tabs.set(slot, await rig.join(`tab-${slot}`))
      return
    }
    const what = this.pick(['leave', 'close', 'reload', 'kill'] as const)
    this.count(what)
    if (what === 'leave') await rig.leave(seat)
    // A worker hears nothing of the end of its page.
    const worker = this.workers.get(slot)
    if (worker !== undefined) rig.over(worker)
    this.workers.delete(slot)
    if (what === 'reload') return rig.reload(seat)
    this.tabs.delete(slot)
    if (what === 'leave') await seat.tab.close()
    else await rig[what](seat)
  }

  private async worker(slot: number): Promise<void> {
    const page = this.tabs.get(slot)
    if (page === undefined) return
    const name = `worker-${slot}`
    const seat = this.workers.get(slot)
    if (seat === undefined) {
      this.count('start worker')
      this.workers.set(slot, await rig.join(name, { tab: page.tab, worker: name }))
      return
    }
    const what = this.pick(['leave', 'terminate'] as const)
    this.count(`${what} worker`)
    this.workers.delete(slot)
    if (what === 'leave') await rig.leave(seat)
    else rig.over(seat)
    await page.tab.terminate(name)
  }

  private count(what: string): void {
    this.done[what] = (this.done[what] ?? 0) + 1
  }

  private pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.chance() * choices.length)] as T
  }
}

/** Sends all records, evenly over the time. */
async function flow(): Promise<void> {
  const chunk = SOAK ? 20 : 100
  const began = Date.now()
  while (rig.sent < RECORDS) {
    const due = began + (rig.sent / RECORDS) * SECONDS * 1_000
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - Date.now())))
    await rig.send(chunk)
  }
}

test(
  `${TABS} tabs and 2 workers come, go and die while ${RECORDS} records flow (seed ${SEED})`,
  async () => {
    const storm = new Storm()
    await storm.fill()
    let flowing = true
    const flowed = flow().finally(() => {
      flowing = false
    })
    while (flowing) await storm.next()
    await flowed
    await storm.fill()
    console.log(`seed ${SEED}:`, storm.done)
    await rig.settled(...storm.seats)
    await rig.drained()
    for (const what of ['start', 'leave', 'close', 'reload', 'kill'])
      expect(storm.done[what]).toBeGreaterThan(0)
    await rig.end()
  },
  SOAK ? 1_800_000 : 180_000,
)
