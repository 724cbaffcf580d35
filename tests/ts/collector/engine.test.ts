import { expect, test } from 'vitest'
import { Engine, type Native } from '../../../ts/collector/engine.ts'
import { memoryStore, type Store } from '../../../ts/collector/index.ts'
import { readOptions } from '../../../ts/collector/options.ts'

type Gate = Pick<Store, 'read' | 'write'>
type Glue = Awaited<ReturnType<ConstructorParameters<typeof Engine>[1]>>

/** Stands for the wasm: what its instances are asked is the test's affair. */
function instances() {
  const made: { panic: (message: string) => void; trap: (reason: unknown) => void; store: Gate }[] = []
  const instantiate = async (trapped: (reason: unknown) => void): Promise<Glue> => {
    let panic: (message: string) => void = () => undefined
    const glue = {
      onPanic: (report: typeof panic) => {
        panic = report
      },
      Collector: {
        openLog: async (_options: object, _secret: unknown, random: Uint8Array, store: Store) => {
          expect(random.length).toBe(40)
          made.push({ panic, trap: trapped, store })
          return { number: made.length }
        },
      },
    }
    return glue as unknown as Glue
  }
  return { made, instantiate }
}

const reply = { status: 200, body: '' }
const numberOf = (native: Native) => (native as unknown as { number: number }).number

function engine(reported: unknown[], openStore: () => Promise<Store> = async () => memoryStore()) {
  const { made, instantiate } = instances()
  const settings = readOptions({ store: 'unused', onError: (error) => reported.push(error) })
  return { made, engine: new Engine(settings, instantiate, openStore) }
}

test('an instance that trapped is replaced, and what it was asked fails', async () => {
  const reported: unknown[] = []
  const { made, engine: rules } = engine(reported)
  const never = rules.call(() => new Promise(() => undefined))
  const traps = rules.call(async () => {
    made[0]?.panic('index out of bounds')
    throw new WebAssembly.RuntimeError('unreachable')
  })
  await expect(traps).rejects.toThrow()
  await expect(never).rejects.toThrow(/trapped: index out of bounds/)
  expect(reported).toHaveLength(1)
  await expect(rules.call(async (native) => ({ ...reply, body: String(numberOf(native)) }))).resolves.toEqual(
    {
      status: 200,
      body: '2',
    },
  )
  await rules.close()
})

test('a trap without a word fails everything that the instance was asked', async () => {
  const reported: unknown[] = []
  const { engine: rules } = engine(reported)
  const never = rules.call(() => new Promise(() => undefined))
  const traps = rules.call(async () => {
    throw new WebAssembly.RuntimeError('memory access out of bounds')
  })
  await expect(traps).rejects.toThrow(/memory access/)
  await expect(never).rejects.toThrow(/memory access/)
})

test('an instance that trapped while nobody asked is not asked again', async () => {
  const reported: unknown[] = []
  const { made, engine: rules } = engine(reported)
  await rules.ready()
  made[0]?.trap(new WebAssembly.RuntimeError('unreachable'))
  await expect(made[0]?.store.write([], true)).rejects.toThrow(/closed/)
  const asked = await rules.call(async (native) => ({ ...reply, body: String(numberOf(native)) }))
  expect([asked.body, reported.length]).toEqual(['2', 1])
})

test('a replaced instance does not reach the store, and the next one waits for its last write', async () => {
  const events: string[] = []
  let finish: () => void = () => undefined
  const inner = memoryStore()
  const slow: Store = {
    ...inner,
    read: (scans) => inner.read(scans),
    close: () => inner.close(),
    write: async () => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      events.push('written')
    },
  }
  const { made, engine: rules } = engine([], async () => slow)
  await rules.ready()
  const writing = made[0]?.store.write([], true)
  const traps = rules.call(async () => {
    throw new Error('trap')
  })
  await expect(traps).rejects.toThrow('trap')
  const next = rules.call(async () => {
    events.push('asked')
    return reply
  })
  await new Promise((resolve) => setTimeout(resolve, 20))
  await expect(made[0]?.store.write([], true)).rejects.toThrow(/closed/)
  await expect(made[0]?.store.read([])).rejects.toThrow(/closed/)
  expect(events).toEqual([])
  finish()
  await Promise.all([writing, next])
  expect(events).toEqual(['written', 'asked'])
})

test('a store that cannot be opened is tried again', async () => {
  const reported: unknown[] = []
  let fails = true
  const open = async () => {
    if (fails) throw new Error('locked')
    return memoryStore()
  }
  const { engine: rules } = engine(reported, open)
  await expect(rules.ready()).rejects.toThrow('locked')
  await expect(rules.call(async () => reply)).rejects.toThrow('locked')
  fails = false
  await expect(rules.call(async () => reply)).resolves.toEqual(reply)
  expect(reported).toHaveLength(2)
})

test('closing waits for what is under way, and takes nothing more', async () => {
  const { engine: rules } = engine([])
  let finish: (answer: typeof reply) => void = () => undefined
  const asked = rules.call(
    () =>
      new Promise((resolve) => {
        finish = resolve
      }),
  )
  await new Promise((resolve) => setTimeout(resolve, 5))
  const closing = rules.close()
  await expect(rules.call(async () => reply)).rejects.toThrow(/closed/)
  finish(reply)
  await expect(asked).resolves.toEqual(reply)
  await closing
})
