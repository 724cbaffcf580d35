import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from './harness/collector.ts'
import type { Engine } from './harness/engines.ts'
import { owned, Rig, type Seat, sorted } from './harness/rig.ts'

/** Handled twice: nothing, in all of these tests. */
async function drainedOnce(rig: Rig): Promise<void> {
  await rig.drained()
  expect(rig.ledger.twice()).toEqual([])
}

async function three(rig: Rig): Promise<[Seat, Seat, Seat]> {
  return [await rig.join('one'), await rig.join('two'), await rig.join('three')]
}

describe.each<Engine>(['chromium', 'firefox'])('a group of tabs in %s', (engine) => {
  let rig: Rig

  beforeAll(async () => {
    rig = await Rig.start(engine)
  })
  afterAll(async () => rig?.stop())
  beforeEach(async () => rig.begin())
  afterEach(async () => rig.end())

  test('three tabs share the partitions, and each record is handled once', async () => {
    const seats = await three(rig)
    const group = await rig.settled(...seats)
    expect(new Set(group.members.map(({ id }) => id)).size).toBe(3)
    expect(new Set(group.members.map(({ epoch }) => epoch))).toEqual(new Set([group.epoch]))
    await rig.send(1_200)
    await drainedOnce(rig)
    for (const { name } of seats) {
      const partitions = new Set(rig.ledger.by(name).map((id) => id % rig.partitions))
      expect(sorted([...partitions])).toEqual(sorted(owned(group, name)))
    }
  })

  test('tabs that send to one partition at once: each record has an offset of its own', async () => {
    const seats = await three(rig)
    const sent = seats.map(({ tab }) => tab.drive('sendOneByOne', [rig.topic, 0, 150]))
    const offsets = (await Promise.all(sent)).flat()
    expect(sorted(offsets)).toEqual(Array.from({ length: 450 }, (_, each) => each))
  })

  test('a tab that joins takes its share and no more, while records flow', async () => {
    const [one, two] = [await rig.join('one'), await rig.join('two')]
    const before = await rig.settled(one, two)
    const steps = [
      [one, (await rig.steps(one)).length],
      [two, (await rig.steps(two)).length],
    ] as const
    await rig.send(600)
    const three = await rig.join('three')
    await rig.send(600)
    const after = await rig.settled(one, two, three)
    for (const [seat, earlier] of steps) {
      const kept = owned(after, seat.name)
      expect(owned(before, seat.name)).toEqual(expect.arrayContaining(kept))
      const revoked = (await rig.steps(seat))
        .slice(earlier)
        .flatMap(({ kind, partitions }) => (kind === 'revoked' ? partitions : []))
      expect(sorted([...kept, ...revoked])).toEqual(sorted(owned(before, seat.name)))
    }
    await drainedOnce(rig)
  })

  test('partitions go when their handlers have ended, not before', async () => {
    // Fewer than a browser's connections to one server: the ledger holds one for each.
    await rig.begin(4)
    const one = await rig.join('one', { concurrency: rig.partitions })
    await rig.settled(one)
    rig.ledger.hold('one')
    await rig.send(120)
    await until(() => rig.ledger.inHand('one').length === 120, 'all records are in hand')
    const two = await rig.join('two')
    expect(await rig.assignment(two)).toEqual([])
    const { state, members } = await rig.describe()
    expect(state).toBe('Reconciling')
    expect(members.map(({ name, partitions }) => [name, partitions.length])).toEqual(
      expect.arrayContaining([
        ['one', 4],
        ['two', 0],
      ]),
    )
    rig.ledger.letGo('one')
    await rig.settled(one, two)
    await drainedOnce(rig)
  })

  test('a tab that leaves, or is closed, hands on what it had', async () => {
    const [one, two, three_] = await three(rig)
    await rig.settled(one, two, three_)
    await rig.send(600)
    await rig.leave(one)
    await rig.settled(two, three_)
    await rig.send(600)
    await rig.drained()
    await rig.close(two)
    const group = await rig.settled(three_)
    expect(owned(group, 'three')).toHaveLength(12)
    await rig.send(600)
    await drainedOnce(rig)
  })

  test('a tab that commits after each message is closed in the middle of a batch: what it had in hand comes again, no more', async () => {
    // Firefox runs nothing of a page that is closed: a commit there comes too late.
    const one = await rig.join('one', { single: true, threshold: 1 })
    const two = await rig.join('two')
    await rig.settled(one, two)
    await rig.send(600)
    await until(() => rig.ledger.by('one').length > 70, 'a second batch is being handled')
    await rig.close(one)
    await rig.settled(two)
    await rig.drained()
    expect(rig.ledger.twice().length).toBeLessThanOrEqual(1)
  })

  test('a tab that is reloaded comes back as a new member, and nothing is handled twice', async () => {
    const [one, two] = [await rig.join('one'), await rig.join('two')]
    const before = await rig.settled(one, two)
    await rig.send(600)
    await rig.drained()
    await rig.reload(one)
    const after = await rig.settled(one, two)
    const id = (group: typeof before, name: string) => group.members.find((each) => each.name === name)?.id
    expect(id(after, 'one')).not.toBe(id(before, 'one'))
    expect(id(after, 'two')).toBe(id(before, 'two'))
    await rig.send(600)
    await drainedOnce(rig)
  })

  test('all tabs are reloaded, one after the other', async () => {
    const seats = await three(rig)
    await rig.settled(...seats)
    for (const seat of seats) {
      await rig.send(300)
      await rig.reload(seat)
      await rig.settled(...seats)
    }
    await rig.send(300)
    await rig.drained()
  })

  test('a static member that is reloaded has its partitions again, and nobody else notices', async () => {
    const one = await rig.join('one', { config: { groupInstanceId: 'tab-one' } })
    const two = await rig.join('two', { config: { groupInstanceId: 'tab-two' } })
    const before = await rig.settled(one, two)
    const steps = await rig.steps(two)
    await rig.send(300)
    await rig.drained()
    await rig.reload(one)
    const after = await rig.settled(one, two)
    expect(after.epoch).toBe(before.epoch)
    expect(owned(after, 'one')).toEqual(owned(before, 'one'))
    expect(await rig.steps(two)).toEqual(steps)
    await rig.send(300)
    await drainedOnce(rig)
  })

  test('a page and its workers are members of one group', async () => {
    const page = await rig.join('page')
    const first = await rig.join('first', { tab: page.tab, worker: 'first' })
    const second = await rig.join('second', { tab: page.tab, worker: 'second' })
    await rig.settled(page, first, second)
    await rig.send(600)
    await until(() => rig.ledger.handled === rig.sent, 'all is handled')
    await rig.leave(first)
    await rig.settled(page, second)
    await rig.send(600)
    await drainedOnce(rig)
    expect(rig.ledger.by('page').length).toBeGreaterThan(0)
    expect(rig.ledger.by('first').length).toBeGreaterThan(0)
    expect(rig.ledger.by('second').length).toBeGreaterThan(0)
  })
})
