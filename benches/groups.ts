import { type Figure, figure, percentile, sum } from './figure.ts'
import type { Part } from './parts.ts'
import { now, Rig, sleep, type Tab } from './rig.ts'

/** Partitions of the topic whose group is killed, a tab at a time. */
const PARTITIONS = 6

/** Times after the crash of a tab, in milliseconds. */
interface Crash {
  /** A raw lock of the tab was granted to one that waited for it. */
  lock: number
  /** The first of those who are left has heard of it from the coordinator. */
  told: number
  /** All partitions are owned again. */
  owned: number
}

/** Kills tabs of a group of three, in turn the coordinator's and another one. */
export const failover: Part = async ({ full }) => {
  const rounds = full ? 100 : 12
  const rig = await Rig.start()
  try {
    const tabs = [await seat(rig, 0), await seat(rig, 1), await seat(rig, 2)]
    await tabs[0]?.tab.call('createTopic', PARTITIONS)
    await Promise.all(tabs.map(({ tab }) => tab.call('join')))
    const crashes: Record<'coordinator' | 'member', Crash[]> = { coordinator: [], member: [] }
    for (let round = 0; round < 2 * rounds; round++) {
      await Promise.all(tabs.map(({ tab }) => tab.call('holds', PARTITIONS / 3)))
      const victim = round % 2 === 0 ? 'coordinator' : 'member'
      crashes[victim].push(await crash(tabs, victim))
      const next = await seat(rig, 3 + round)
      tabs.push(next)
      await next.tab.call('join')
    }
    return [...figures('coordinator', crashes.coordinator), ...figures('member', crashes.member)]
  } finally {
    await rig.stop()
  }
}

/** A tab, and the raw lock that it holds for as long as it lives. */
interface Seat {
  tab: Tab
  lock: string
}

async function seat(rig: Rig, index: number): Promise<Seat> {
  const lock = `bench/${index}`
  const tab = await rig.tab()
  await tab.call('hold', lock)
  await tab.pid()
  return { tab, lock }
}

/** Kills one of the tabs, and takes it out of them. */
async function crash(tabs: Seat[], victim: 'coordinator' | 'member'): Promise<Crash> {
  const coordinates = await Promise.all(tabs.map(({ tab }) => tab.call('coordinates')))
  if (coordinates.filter(Boolean).length !== 1) throw new Error('the group has not one coordinator')
  const index = coordinates.indexOf(victim === 'coordinator')
  const [{ tab, lock } = undefined as never] = tabs.splice(index, 1)
  await tabs[0]?.tab.call('watch', lock)
  const clocks = await Promise.all(tabs.map((each) => clock(each.tab)))
  const asked = now()
  const surviving = Promise.all(
    tabs.map((each, index) =>
      each.tab.call('survive', asked + (clocks[index] ?? 0), index === 0 ? lock : null, PARTITIONS / 2),
    ),
  )
  const at = await tab.kill()
  const seen = (await surviving).map((times, index) => {
    const late = at + (clocks[index] ?? 0)
    return { lock: times.lock - late, told: times.joined - late, owned: times.assigned - late }
  })
  await tab.close()
  return {
    lock: Math.min(...seen.map((each) => each.lock)),
    told: Math.min(...seen.map((each) => each.told)),
    owned: Math.max(...seen.map((each) => each.owned)),
  }
}

/** How far a tab's clock is before this one, by the quickest of some questions. */
async function clock(tab: Tab): Promise<number> {
  const asked: { took: number; offset: number }[] = []
  for (let round = 0; round < 5; round++) {
    const start = now()
    const offset = await tab.call('clock', start)
    const took = now() - start
    asked.push({ took, offset: offset - took / 2 })
  }
  return asked.reduce((best, each) => (each.took < best.took ? each : best)).offset
}

function figures(victim: string, crashes: Crash[]): Figure[] {
  const at = (share: number) => (times: keyof Crash) =>
    percentile(
      crashes.map((crash) => crash[times]),
      share,
    )
  const [p50, p99] = [at(0.5), at(0.99)]
  const name = `crash of a tab with ${victim === 'coordinator' ? 'the coordinator' : 'a member'}`
  const peer = 'against the hand-over of a raw lock'
  return [
    figure(`${name}, until the others are told, ${peer}`, 'ms p50', p50('told'), p50('lock'), {
      ratio: { most: 2 },
    }),
    figure(`${name}, until all partitions are owned, ${peer}`, 'ms p50', p50('owned'), p50('lock'), {
      ratio: { most: 2 },
    }),
    figure(`${name}, until all partitions are owned, ${peer}`, 'ms p99', p99('owned'), p99('lock'), {
      value: { most: 250 },
    }),
  ]
}

/** A tab joins a group of ten, until it has its partitions; against the same steps by hand. */
export const join: Part = async ({ full }) => {
  const rig = await Rig.start()
  try {
    const tabs = await rig.tabs(10)
    const [first, second] = tabs
    // Two each, with the one that joins.
    const partitions = 22
    await first?.call('createTopic', partitions)
    await Promise.all(tabs.map((tab) => tab.call('join')))
    await Promise.all([first?.call('serveHandOver', 'coordinator'), second?.call('serveHandOver', 'owner')])
    const newcomer = await rig.tab()
    const [ours, raw]: [number[], number[]] = [[], []]
    for (let round = 0; round < (full ? 60 : 15); round++) {
      ours.push(await newcomer.call('join'))
      raw.push(await newcomer.call('handOver'))
      await newcomer.call('leave')
      await settled(tabs, partitions)
    }
    // The newcomer's first join compiles what it needs.
    const figures = [0.5, 0.99].map((share) =>
      figure(
        'join of a tab to a group of ten, until it has partitions, against four messages and three transactions',
        `ms p${share * 100}`,
        percentile(ours.slice(1), share),
        percentile(raw.slice(1), share),
        share === 0.5 ? { value: { most: 100 } } : {},
      ),
    )
    return figures
  } finally {
    await rig.stop()
  }
}

/** Resolves when the members have all partitions, no two of them far apart. */
async function settled(tabs: Tab[], partitions: number): Promise<void> {
  const end = now() + 30_000
  for (;;) {
    const held = await Promise.all(tabs.map((tab) => tab.call('held')))
    if (sum(held) === partitions && Math.max(...held) - Math.min(...held) <= 1) return
    if (now() > end) throw new Error(`the group has not settled: ${held}`)
    await sleep(20)
  }
}

/** Records a second through a group of four tabs, against one tab. */
export const throughput: Part = async ({ full }) => {
  const [partitions, batches] = [4, full ? 100 : 25]
  const rig = await Rig.start()
  try {
    const tabs = await rig.tabs(4)
    await tabs[0]?.call('spread', partitions, batches)
    const total = partitions * batches * 1_000
    // The engines compile what is hot first.
    await through(tabs, 'first', total)
    const [many, one] = [await through(tabs, 'four', total), await through(tabs.slice(0, 1), 'one', total)]
    const rows = partitions * batches
    const raw = async (readers: Tab[]) => {
      const each = rows / readers.length
      const shares = await Promise.all(
        readers.map((tab, index) => tab.call('readRaw', index * each, (index + 1) * each)),
      )
      const start = Math.min(...shares.map((share) => share.start))
      const end = Math.max(...shares.map((share) => share.end))
      return (total / (end - start)) * 1_000
    }
    const [rawMany, rawOne] = [await raw(tabs), await raw(tabs.slice(0, 1))]
    return [
      figure('eachMessage by a group of four tabs, against one tab', 'records/s', many, one),
      figure('the same rows by hand, four tabs against one', 'records/s', rawMany, rawOne),
    ]
  } finally {
    await rig.stop()
  }
}

async function through(tabs: Tab[], groupId: string, total: number): Promise<number> {
  const before = await Promise.all(tabs.map((tab) => tab.call('handled')))
  await Promise.all(tabs.map((tab) => tab.call('ready', groupId)))
  const starts = await Promise.all(tabs.map((tab) => tab.call('start')))
  for (;;) {
    const shares = await Promise.all(tabs.map((tab) => tab.call('handled')))
    const records = sum(shares.map((share) => share.records)) - sum(before.map((share) => share.records))
    if (records > total) throw new Error(`${records} records were handled of ${total}`)
    if (records === total) {
      const end = Math.max(...shares.map((share) => share.end))
      await Promise.all(tabs.map((tab) => tab.call('finish')))
      return (total / (end - Math.min(...starts))) * 1_000
    }
    await sleep(50)
  }
}

/** What ten members cost that have nothing to do, against ten tabs that beat by hand, beyond ten tabs that do nothing. */
export const idle: Part = async ({ full }) => {
  const [count, interval, seconds] = [10, 3_000, full ? 60 : 15]
  const rig = await Rig.start()
  try {
    const tabs = await rig.tabs(count)
    await Promise.all(tabs.map((tab) => tab.call('countTimers')))
    const [first] = tabs
    await first?.call('createTopic', 2 * count)
    const listener = await rig.tab()
    await listener.call('listen')
    await sleep(4 * interval)
    const nothing = await share(rig, seconds)
    await Promise.all(tabs.map((tab) => tab.call('join', { heartbeatInterval: interval })))
    await settled(tabs, 2 * count)
    // Engines tidy up for a while after all that was loaded and compiled.
    await sleep(4 * interval)
    const fired = async () => sum(await Promise.all(tabs.map((tab) => tab.call('timers'))))
    const [timers, messages] = [await fired(), await listener.call('messages')]
    const ours = await share(rig, seconds)
    const perSecond = (before: number, after: number) => (after - before) / seconds
    const wakes = perSecond(timers, await fired())
    const said = perSecond(messages, await listener.call('messages'))
    await Promise.all(tabs.map((tab) => tab.call('leave')))
    await Promise.all(tabs.map((tab, index) => tab.call('beat', index, interval)))
    const raw = await share(rig, seconds)
    const beats = (count * 1_000) / interval
    return [
      figure(
        'processor of ten idle members, against a message and an answer each by hand',
        '% of a core',
        ours - nothing,
        raw - nothing,
        {
          value: { most: 0.5 },
        },
      ),
      figure('messages of ten idle members, against a heartbeat and an answer each', '1/s', said, 2 * beats),
      figure('timers of ten idle members, against one each heartbeat interval', '1/s', wakes, beats, {
        // Beside the heartbeats two of five seconds: the wait of a fetch, and a look at the storage for what no message
        // told. What is more would be faster than the heartbeats.
        ratio: { most: 1 + (2 * interval) / 5_000 },
      }),
    ]
  } finally {
    await rig.stop()
  }
}

/** The browser's share of one core over so many seconds, in percent. */
async function share(rig: Rig, seconds: number): Promise<number> {
  const [used, start] = [rig.processor(), now()]
  await sleep(seconds * 1_000)
  return ((rig.processor() - used) / 1e6 / (now() - start)) * 100
}
