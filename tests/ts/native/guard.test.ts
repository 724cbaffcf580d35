import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { guard } from '../../../ts/native/guard.ts'

/** What runs closures, as the glue calls it. */
const CLOSURES = ['page', 'collector'].flatMap((artifact) => {
  const glue = readFileSync(new URL(`../../../ts/generated/${artifact}-glue.js`, import.meta.url), 'utf8')
  const made = [...glue.matchAll(/ = make(?:Mut)?Closure\(arg\d, arg\d, (\w+)\)/g)].map(
    ([, name = '']) => name,
  )
  return made.map((name) => {
    const body = glue.slice(glue.indexOf(`function ${name}(`))
    return /\bwasm\.([$\w]+)\(/.exec(body)?.[1] ?? ''
  })
})

describe('guarded exports', () => {
  function exports(calls: Record<string, (...given: number[]) => unknown>) {
    const traps: string[] = []
    const memory = new WebAssembly.Memory({ initial: 1 })
    const guarding = guard((reason) => traps.push(reason))
    const guarded = guarding({ memory, ...calls } as WebAssembly.Exports)
    const call = (name: string, ...given: number[]) =>
      (guarded[name] as (...given: number[]) => unknown)(...given)
    return { call, traps, guarded, guarding, memory }
  }

  const trap = () => {
    throw new WebAssembly.RuntimeError('unreachable')
  }

  test('answer as before', () => {
    const { call, guarded, memory, traps } = exports({ add: (a = 0, b = 0) => a + b })
    expect(call('add', 1, 2)).toBe(3)
    expect(guarded['memory']).toBe(memory)
    expect(traps).toEqual([])
  })

  test('tell of a trap, and let it through to who called', () => {
    const { call, traps } = exports({ trap })
    expect(() => call('trap')).toThrow(WebAssembly.RuntimeError)
    expect(traps).toEqual(['unreachable'])
  })

  test.each([...new Set(CLOSURES)])(
    'keep the trap of a task from the page, but not from the wasm below it: %s',
    (closure) => {
      const { call, traps } = exports({ [closure]: trap, outer: () => call(closure) })
      expect(call(closure)).toEqual([])
      expect(() => call('outer')).toThrow('unreachable')
      expect(traps).toEqual(['unreachable', 'unreachable', 'unreachable'])
    },
  )

  test('count as one with those that were loaded later', () => {
    const { call, guarding } = exports({ outer: () => (late['$A'] as () => unknown)() })
    const late = guarding({ $A: trap } as unknown as WebAssembly.Exports)
    expect(() => call('outer')).toThrow('unreachable')
  })
})
