import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { until } from './harness/collector.ts'
import { PageServer } from './harness/pages.ts'
import { type Tab, Tabs } from './harness/tabs.ts'
import type { Line, Stage, Told } from './pages/transform.ts'

const ENTRY = fileURLToPath(new URL('./pages/transform.ts', import.meta.url))
const PARTITIONS = 4
const OUTPUTS = { made: 3, audited: 1 }

let server: PageServer
let tabs: Tabs
let told: Told[]
/** Who was caught stays so, until it is let go. */
let letGo: () => void
let held: Promise<void>
let desk: Tab
let sent: number
let runs = 0

beforeAll(async () => {
  server = await PageServer.start(ENTRY, async (body) => {
    const one = JSON.parse(body) as Told
    told.push(one)
    if (one.kind === 'caught') await held
  })
  tabs = await Tabs.start('chromium', server.url)
})
afterAll(async () => {
  await tabs?.stop()
  await server?.stop()
})

beforeEach(async () => {
  runs += 1
  told = []
  sent = 0
  hold()
  desk = await tabs.tab()
  const outputs = Object.entries(OUTPUTS).map(([name, count]) => [own(name), count] as const)
  await call(desk, 'create', Object.fromEntries([[own('input'), PARTITIONS], ...outputs]))
})
afterEach(async () => {
  letGo()
  const complaints = [...tabs.complaints, ...told.filter(({ kind }) => kind === 'crash')]
  tabs.complaints.length = 0
  await tabs.closeAll()
  expect(complaints).toEqual([])
})

function hold(): void {
  held = new Promise((resolve) => {
    letGo = resolve
  })
}

/** A name that no other test uses. */
const own = (name: string) => `${name}-${runs}`

async function call<Method extends keyof Line>(
  tab: Tab,
  method: Method,
  ...args: Parameters<Line[Method]>
): Promise<Awaited<ReturnType<Line[Method]>>> {
  const result = await tab.page.evaluate(
    (method, args) => (transforming[method] as (...args: unknown[]) => unknown)(...args),
    method as keyof Line,
    args as unknown[],
  )
  return result as Awaited<ReturnType<Line[Method]>>
}

async function send(count: number): Promise<void> {
  const from = sent
  sent += count
  await call(desk, 'send', own('input'), PARTITIONS, from, sent)
}

/** A tab that transforms what is sent. */
async function worker(name: string, tab?: Tab): Promise<Tab> {
  const at = tab ?? (await tabs.tab())
  const [groupId, input, transactionalId] = [own('line'), own('input'), own('transform')]
  const outputs = Object.keys(OUTPUTS).map(own)
  await call(at, 'transform', { name, groupId, input, outputs, transactionalId, sessionTimeout: 5_000 })
  return at
}

/** Waits until each of these has partitions. */
async function settled(...workers: Tab[]): Promise<void> {
  await until(async () => {
    const all = await Promise.all(workers.map((tab) => call(tab, 'assignment')))
    return all.every((own) => own.length > 0) && all.flat().length === PARTITIONS
  }, 'everybody has partitions')
}

/** Waits until this worker has a record in hand that has come just so far; answers its id. */
async function caught(name: string, tab: Tab, stage: Stage): Promise<string> {
  await call(tab, 'arm', stage)
  await send(10 * PARTITIONS)
  const found = () =>
    told.findLast((one) => one.kind === 'caught' && one.name === name && one.stage === stage)
  await until(
    () => found() !== undefined,
    () => `${name} reaches ${stage}: ${JSON.stringify(told)}`,
  )
  return (found() as { id: string }).id
}

/** Waits until all that was sent is transformed; answers who made what of it. Nothing is left out or made twice. */
async function drained(): Promise<Map<string, string>> {
  let lag = 0
  await until(
    async () => {
      lag = await call(desk, 'lag', own('line'), own('input'))
      return lag === 0
    },
    () => `everything is transformed (${lag} of ${sent} are left): ${JSON.stringify(told)}`,
    60_000,
  )
  const [made = [], audited = []] = await Promise.all(
    Object.keys(OUTPUTS).map((name) => call(desk, 'read', own(name))),
  )
  const parsed = made.map((value) => /^output of (\d+)\. By (.+)$/.exec(value) ?? [])
  const ids = parsed.map(([, id]) => Number(id)).toSorted((one, other) => one - other)
  expect(ids, 'each once').toEqual(Array.from({ length: sent }, (_, id) => id))
  expect(audited.toSorted(), 'together').toEqual(made.toSorted())
  return new Map(parsed.map(([, id = '', by = '']) => [id, by]))
}

/** Where it is killed, and whether what it had in hand is stored then. */
const STAGES: [Stage, boolean][] = [
  ['begun', false],
  ['sent', false],
  ['offsets', false],
  ['writing', false],
  ['stored', true],
  ['committed', true],
]

test('tabs are killed at every stage of a transaction, and each record is transformed exactly once', async () => {
  await worker('stays').then((tab) => settled(tab))
  const hands: [id: string, name: string, stored: boolean][] = []
  for (const [stage, stored] of STAGES) {
    const name = `killed when ${stage}`
    const victim = await worker(name)
    const id = await caught(name, victim, stage)
    await victim.kill()
    hands.push([id, name, stored])
  }
  const by = await drained()
  for (const [id, name, stored] of hands) expect([name, by.get(id) === name]).toEqual([name, stored])
  expect(new Set(by.values()).size).toBeGreaterThan(1)
})

test('tabs are closed and reloaded in the middle of a transaction', async () => {
  const stays = await worker('stays')
  const hands: [id: string, name: string][] = []
  for (const stage of ['sent', 'offsets'] as const) {
    const closed = await worker(`closed when ${stage}`)
    hands.push([await caught(`closed when ${stage}`, closed, stage), `closed when ${stage}`])
    await closed.close()
    const reloaded = await worker(`reloaded when ${stage}`)
    hands.push([await caught(`reloaded when ${stage}`, reloaded, stage), `reloaded when ${stage}`])
    await reloaded.reload()
    await worker(`after ${stage}`, reloaded)
    await settled(stays, reloaded)
    await reloaded.close()
  }
  const by = await drained()
  for (const [id, name] of hands) expect([name, by.get(id)]).not.toEqual([name, name])
})

test('a tab that is stopped before its commit has been replaced when it goes on: its commit is refused', async () => {
  const first = await worker('stays')
  const zombie = await worker('zombie')
  await settled(first, zombie)
  const id = await caught('zombie', zombie, 'offsets')
  await zombie.stop()
  expect((await drained()).get(id)).toBe('stays')
  zombie.resume()
  letGo()
  const refused = () => told.find((one) => one.kind === 'refused')
  await until(() => refused() !== undefined, 'the commit of the tab that was stopped is refused')
  expect(refused()).toMatchObject({ name: 'zombie', id, type: 'PRODUCER_FENCED' })
  await settled(first, zombie)
  await send(10 * PARTITIONS)
  expect(new Set((await drained()).values())).toEqual(new Set(['stays', 'zombie']))
})

test('a second producer with the same transactional id fences the first', async () => {
  const [older, younger] = [await tabs.tab(), await tabs.tab()]
  const topic = own('made')
  await call(older, 'begin', own('id'), topic, 'older')
  await call(younger, 'begin', own('id'), topic, 'younger')
  expect(await call(desk, 'read', topic)).toEqual([])
  expect(await call(older, 'commit')).toBe('PRODUCER_FENCED')
  expect(await call(younger, 'commit')).toBeUndefined()
  expect(await call(desk, 'read', topic)).toEqual(['younger'])
})
