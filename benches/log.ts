import { type Figure, figure, median } from './figure.ts'
import type { Cell } from './page/sizes.ts'
import type { Part, Scale } from './parts.ts'
import { Rig, type Tab } from './rig.ts'

/** Runs what needs one tab. */
async function alone(work: (tab: Tab) => Promise<Figure[]>): Promise<Figure[]> {
  const rig = await Rig.start()
  try {
    return await work(await rig.tab())
  } finally {
    await rig.stop()
  }
}

export const appends: Part = () => alone((tab) => tab.call('append'))
export const reads: Part = () => alone((tab) => tab.call('read'))
export const sparse: Part = () => alone((tab) => tab.call('sparse'))
export const tracks: Part = () => alone((tab) => tab.call('track'))

export const publishes: Part = async () => {
  const rig = await Rig.start()
  try {
    const [here, there] = [await rig.tab(), await rig.tab()]
    await there.call('echo')
    return await here.call('publish')
  } finally {
    await rig.stop()
  }
}

/** A call carries at most so many bytes. */
const CALL_BYTES_MAX = 10_000_000

function cells({ full }: Scale): Cell[] {
  const [records, bytes] = full
    ? [
        [1, 10, 100, 1_000, 10_000],
        [100, 1_000, 10_000, 100_000],
      ]
    : [
        [1, 100, 10_000],
        [100, 10_000],
      ]
  const all = records.flatMap((records) => bytes.map((bytes) => ({ records, bytes })))
  const cells = all.filter(({ records, bytes }) => records * bytes <= CALL_BYTES_MAX)
  // No cell writes more than 100 MB on either side.
  const rounds = ({ records, bytes }: { records: number; bytes: number }) =>
    Math.max(8, Math.min(60, Math.floor(80_000_000 / (records * bytes))))
  return cells.map((cell) => ({ ...cell, rounds: rounds(cell) }))
}

/** Send and fetch, by records a call and their size. */
export const sizes: Part = (scale) =>
  alone(async (tab) => {
    const figures: Figure[] = []
    for (const cell of cells(scale)) figures.push(...(await tab.call('size', cell)))
    return figures
  })

/** A log with many topics and one that is large: its opening, reading all of it, retention, and deletion. */
export const large: Part = async ({ full }) => {
  const megabytes = full ? 1_000 : 100
  const topics = 1_000
  const rig = await Rig.start()
  try {
    const filling = await rig.tab()
    await filling.call('fill', megabytes)
    await filling.call('addTopics', topics)
    const listed = await filling.call('listTopics')
    if (listed !== topics + 1) throw new Error(`${listed} topics are listed of ${topics + 1}`)
    await filling.close()
    const size = `${megabytes} MB`
    return [
      await opened(rig, `${size} and ${topics} topics`, full ? 20 : 8),
      ...(await remembered(rig, megabytes)),
      await retained(rig, megabytes),
      await removed(rig, megabytes),
    ]
  } finally {
    await rig.stop()
  }
}

/** Both sides in tabs that have opened nothing before. */
async function opened(rig: Rig, what: string, rounds: number): Promise<Figure> {
  const times: [ours: number[], raw: number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    for (const raw of [false, true]) {
      const tab = await rig.tab()
      times[raw ? 1 : 0].push(await tab.call('open', raw))
      await tab.close()
    }
  }
  const [ours, raw] = times.map(median)
  const name = `open a log of ${what} and append, against a database and a row`
  return figure(name, 'ms p50', ours ?? Number.NaN, raw ?? Number.NaN, { value: { most: 100 } })
}

/** What a tab has in memory at most where it is held up while it reads: as it is, and without what is garbage already. */
async function remembered(rig: Rig, megabytes: number): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const garbage of [false, true]) {
    const ours = await mostMemory(rig, megabytes, false, garbage)
    const raw = await mostMemory(rig, megabytes, true, garbage)
    const what = garbage ? 'with its garbage' : 'without garbage'
    const name = `memory of a tab that reads ${megabytes} MB, ${what}, against getAll of a megabyte each`
    figures.push(figure(name, 'MiB at most', ours, raw, garbage ? {} : { value: { most: 64 } }))
  }
  return figures
}

async function mostMemory(rig: Rig, megabytes: number, raw: boolean, garbage: boolean): Promise<number> {
  const stops = 20
  const tab = await rig.tab()
  await tab.collect()
  const before = await tab.memory()
  let most = before
  for (let stop = 1; stop <= stops; stop++) {
    await tab.call('readUpTo', (megabytes * stop) / stops, raw)
    if (!garbage) await tab.collect()
    most = Math.max(most, await tab.memory())
  }
  await tab.close()
  return (most - before) / 1_024
}

async function retained(rig: Rig, megabytes: number): Promise<Figure> {
  const tab = await rig.tab()
  const { during } = await tab.call('retain')
  const raw = await tab.call('retainRaw', megabytes)
  await tab.close()
  const name = `longest append while retention deletes ${megabytes} MB, against one delete of a range`
  return figure(name, 'ms', during, raw.during, { value: { most: 50 } })
}

async function removed(rig: Rig, megabytes: number): Promise<Figure> {
  const tab = await rig.tab()
  await tab.call('fill', megabytes, 'gone')
  const { during } = await tab.call('remove')
  const raw = await tab.call('retainRaw', megabytes)
  await tab.close()
  const name = `longest append while a deleted topic of ${megabytes} MB is removed, against one delete of a range`
  return figure(name, 'ms', during, raw.during, { value: { most: 50 } })
}
