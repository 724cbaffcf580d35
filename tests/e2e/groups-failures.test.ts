import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { until } from './harness/collector.ts'
import { owned, Rig, type Seat } from './harness/rig.ts'
import type { Described } from './pages/member.ts'

/** Short enough to wait for in a test; a page's timers are throttled to a second all the same. */
const QUICK = { sessionTimeout: 5_000, heartbeatInterval: 1_000 }

let rig: Rig

beforeAll(async () => {
  rig = await Rig.start('chromium')
})
afterAll(async () => rig?.stop())
beforeEach(async () => rig.begin())
afterEach(async () => rig.end())

/** Four members, settled, and the one of them whose realm coordinates. */
async function four(): Promise<{ coordinator: Seat; others: Seat[]; before: Described }> {
  const seats: Seat[] = []
  for (const name of ['one', 'two', 'three', 'four']) seats.push(await rig.join(name, { config: QUICK }))
  const before = await rig.settled(...seats)
  const coordinator = await rig.coordinator(seats)
  if (coordinator === undefined) throw new Error('nobody coordinates the group')
  return { coordinator, others: seats.filter((seat) => seat !== coordinator), before }
}

const ids = (group: Described, seats: readonly Seat[]) =>
  seats.map(({ name }) => group.members.find((each) => each.name === name)?.id)

/** The others are who they were and have kept what they had, and somebody among them coordinates. */
async function survived(others: Seat[], before: Described): Promise<void> {
  const after = await rig.settled(...others)
  expect(ids(after, others)).toEqual(ids(before, others))
  for (const { name } of others)
    expect(owned(after, name)).toEqual(expect.arrayContaining(owned(before, name)))
  expect(await rig.coordinator(others)).toBeDefined()
}

/**
 * Records have flowed, and nobody is in the middle of a transaction: who is suspended there keeps the others out of the
 * storage for a minute and more, which is a case of its own, and no browser keeps such a page in its cache.
 */
async function quiet(): Promise<void> {
  await rig.send(1_200)
  await rig.drained()
}

/** Records of which this seat has some in hand, and does not let go of them. */
async function busy(seat: Seat): Promise<number[]> {
  rig.ledger.hold(seat.name)
  await rig.send(1_200)
  await until(() => rig.ledger.inHand(seat.name).length > 0, `${seat.name} has records in hand`)
  return rig.ledger.inHand(seat.name)
}

test('a tab that is closed in the middle of a batch has committed what it had handled', async () => {
  const [one, two] = [await rig.join('one', { single: true }), await rig.join('two')]
  await rig.settled(one, two)
  await rig.send(1_200)
  await until(() => rig.ledger.by('one').length > 130, 'a second batch is being handled')
  await rig.close(one)
  await rig.settled(two)
  await rig.drained()
  // The one that was in hand.
  expect(rig.ledger.twice().length).toBeLessThanOrEqual(1)
})

test('the tab of a member is killed in mid-handler: what it had in hand comes again, and nothing else', async () => {
  const { others, coordinator, before } = await four()
  const [victim, ...rest] = others
  if (victim === undefined) throw new Error('nobody to kill')
  const inHand = await busy(victim)
  await rig.kill(victim)
  await survived([coordinator, ...rest], before)
  await rig.drained()
  expect(rig.ledger.twice()).toEqual(inHand)
})

test("the coordinator's tab is killed in mid-handler", async () => {
  const { coordinator, others, before } = await four()
  const inHand = await busy(coordinator)
  await rig.kill(coordinator)
  await survived(others, before)
  await rig.drained()
  expect(rig.ledger.twice()).toEqual(inHand)
})

test("the coordinator's tab is frozen, and thawed", async () => {
  const { coordinator, others, before } = await four()
  await rig.hideAll()
  await quiet()
  rig.over(coordinator)
  await coordinator.tab.freeze()
  await survived(others, before)
  await rig.send(1_200)
  await rig.drained()
  await coordinator.tab.freeze(false)
  await rig.settled(coordinator, ...others)
  await rig.renew(coordinator)
  await rig.send(1_200)
  await rig.drained()
})

test("the coordinator's tab is stopped, and goes on", async () => {
  const { coordinator, others, before } = await four()
  await quiet()
  rig.over(coordinator)
  await coordinator.tab.stop()
  await others[0]?.tab.show()
  await survived(others, before)
  await rig.send(1_200)
  await rig.drained()
  coordinator.tab.resume()
  await rig.settled(coordinator, ...others)
  await rig.renew(coordinator)
  await rig.send(1_200)
  await rig.drained()
})

// It takes the minute after which Chromium lets the others in again.
test.runIf(process.env['HEADWATER_SOAK'])(
  "the coordinator's tab is stopped inside a transaction over everything",
  async () => {
    const { coordinator, others } = await four()
    rig.over(coordinator)
    await coordinator.tab.drive('occupy', [], coordinator.worker)
    await coordinator.tab.stop()
    await others[0]?.tab.show()
    await rig.settled(...others)
    await rig.send(1_200)
    await rig.drained()
  },
  400_000,
)

test('the tab of a member is stopped for longer than its session', async () => {
  const { coordinator, others, before } = await four()
  const [stopped, ...rest] = others
  if (stopped === undefined) throw new Error('nobody to stop')
  await quiet()
  rig.over(stopped)
  await stopped.tab.stop()
  await survived([coordinator, ...rest], before)
  await rig.send(1_200)
  await rig.drained()
  stopped.tab.resume()
  await rig.settled(coordinator, ...others)
  await rig.renew(stopped)
  await rig.send(1_200)
  await rig.drained()
})

test("the coordinator's tab goes to another page, and comes back out of the cache", async () => {
  const { coordinator, others, before } = await four()
  await quiet()
  rig.over(coordinator)
  await coordinator.tab.page.goto(`${rig.server.url}empty`)
  await survived(others, before)
  await rig.send(1_200)
  await rig.drained()
  await coordinator.tab.page.goBack()
  // A page that was loaded anew would know nothing of its member.
  await rig.renew(coordinator)
  await rig.settled(coordinator, ...others)
  await rig.send(1_200)
  await rig.drained()
})

test('a hidden tab whose timers stand still for longer than its session keeps its partitions', async () => {
  const hidden = await rig.join('hidden', { config: QUICK })
  const shown = await rig.join('shown', { config: QUICK })
  const before = await rig.settled(hidden, shown)
  expect(before.members.map(({ name, visible }) => [name, visible])).toEqual(
    expect.arrayContaining([
      ['hidden', false],
      ['shown', true],
    ]),
  )
  const steps = await rig.steps(hidden)
  const still = () => hidden.tab.drive('stillness', [])
  await until(
    async () => (await still()) > 2.5 * QUICK.sessionTimeout,
    'the timers of the hidden tab stand still',
    120_000,
  )
  const after = await rig.settled(hidden, shown)
  expect(ids(after, [hidden, shown])).toEqual(ids(before, [hidden, shown]))
  expect(after.epoch).toBe(before.epoch)
  expect(await rig.steps(hidden)).toEqual(steps)
  await rig.send(1_200)
  await rig.drained()
  expect(rig.ledger.twice()).toEqual([])
  expect(rig.ledger.by('hidden').length).toBeGreaterThan(0)
})
