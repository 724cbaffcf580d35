import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  consoles,
  cycles,
  floors,
  LINES_MAX,
  length,
  markers,
  options,
  pages,
  type Rule,
  type Source,
  silence,
  types,
} from './tidy/rules.ts'

const ROOT = join(import.meta.dirname, '..', '..')

function files(...folders: string[]): Source[] {
  return folders.flatMap((folder) => {
    const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).sort()
    const sources = names.filter((name) => /\.(ts|mjs)$/.test(name) && !/(^|\/)(generated|dist)\//.test(name))
    return sources.map((name) => ({
      path: `${folder}/${name}`,
      text: readFileSync(join(ROOT, folder, name), 'utf8'),
    }))
  })
}

const product = files('ts')
const entries = product.filter(({ path }) =>
  /^ts\/(public|index|slim|(tracker|collector)\/index)\.ts$/.test(path),
)
const everything = [...product, ...files('tests', 'www', 'benches', 'scripts')]

function check(rule: Rule, sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => rule(path, text))
}

describe('the sources are tidy', () => {
  test('there are sources to look at', () => expect(product.length).toBeGreaterThan(5))
  test('no import goes up', () => expect(check(floors, product)).toEqual([]))
  test('no import cycle', () => expect(cycles(product)).toEqual([]))
  test('a page needs nothing else', () => expect(check(pages, product)).toEqual([]))
  test('nothing runs at import', () => expect(check(silence, product)).toEqual([]))
  test('options are documented', () => expect(check(options(entries), product)).toEqual([]))
  test('types are told', () => expect(check(types, everything)).toEqual([]))
  test('no console in the library', () => expect(check(consoles, product)).toEqual([]))
  test('files are short', () => expect(check(length, everything)).toEqual([]))
  test('nothing is left to do', () => expect(check(markers, everything)).toEqual([]))
})

describe('the rules can fail', () => {
  const entry = { path: 'ts/index.ts', text: `export type { AConfig } from './kafka/a.ts'` }
  const bad: [string, Rule, string, string][] = [
    ['an import that goes up', floors, 'ts/native/load.ts', `import { Kafka } from '../kafka/kafka.ts'`],
    ['a type from above', floors, 'ts/kafka/kafka.ts', `import type { T } from '../tracker/index.ts'`],
    ['a lazy import from above', floors, 'ts/sinks/http.ts', `const f = () => import('../index.ts')`],
    ['a neighbour', floors, 'ts/slim.ts', `export { Kafka } from './index.ts'`],
    ['the page in the collector', floors, 'ts/collector/store.ts', `import { x } from '../native/types.ts'`],
    ['the collector in a page', floors, 'ts/kafka/kafka.ts', `import { x } from '../collector/index.ts'`],
    ['a package in a page', pages, 'ts/kafka/kafka.ts', `import { v4 } from 'uuid'`],
    ['Node.js in a page', pages, 'ts/native/load.ts', `const f = () => import('node:fs')`],
    ['a Buffer in a page', pages, 'ts/kafka/kafka.ts', `export const f = () => Buffer.from('')`],
    ['a statement', silence, 'ts/kafka/a.ts', `start()`],
    ['a global', silence, 'ts/kafka/a.ts', `export const agent = navigator.userAgent`],
    ['a global in a static field', silence, 'ts/kafka/a.ts', `export class A { static at = Date.now() }`],
    ['waiting at the top', silence, 'ts/kafka/a.ts', `export const a = await load()`],
    [
      'an option without a word',
      options([entry]),
      'ts/kafka/a.ts',
      `export interface AConfig { a: 1; /** b */ b: 2 }`,
    ],
    ['any', types, 'ts/kafka/a.ts', `export const a = (b: any[]) => b`],
    ['a muted compiler', types, 'ts/kafka/a.ts', `// @ts-${'ignore'}\nf()`],
    ['console', consoles, 'ts/kafka/a.ts', `export const f = () => console.log(1)`],
    ['a long file', length, 'ts/kafka/a.ts', '\n'.repeat(LINES_MAX)],
    ['a marker', markers, 'ts/kafka/a.ts', `// ${'TO'}${'DO'}: more`],
  ]
  test.each(bad)('%s is found', (_, rule, path, text) => expect(rule(path, text)).toHaveLength(1))

  const good: [string, Rule, string, string][] = [
    ['an import that goes down', floors, 'ts/tracker/index.ts', `import { Kafka } from '../kafka/kafka.ts'`],
    ['a package in the collector', pages, 'ts/collector/store.ts', `import { a } from 'lmdb'`],
    [
      'a property called process',
      pages,
      'ts/kafka/a.ts',
      `export const f = (a: A) => a.process({ process: 1 })`,
    ],
    ['a global in a function', silence, 'ts/kafka/a.ts', `export const now = () => Date.now()`],
    [
      'a global in a method',
      silence,
      'ts/kafka/a.ts',
      `export class A { at = Date.now(); f() { fetch('') } }`,
    ],
    ['a global as a type', silence, 'ts/kafka/a.ts', `export const f = null as typeof fetch | null`],
    ['console in the logger', consoles, 'ts/kafka/logger.ts', `export const f = () => console.log(1)`],
    ['a word like any', types, 'ts/kafka/a.ts', `export const any = 'any'`],
  ]
  test.each(good)('%s is none', (_, rule, path, text) => expect(rule(path, text)).toEqual([]))

  test('a cycle is found', () => {
    const a = { path: 'ts/kafka/a.ts', text: `import { b } from './b.ts'` }
    const b = { path: 'ts/kafka/b.ts', text: `export { a } from '../kafka/a.ts'` }
    expect(cycles([a, b])).toEqual(['ts/kafka/a.ts -> ts/kafka/b.ts -> ts/kafka/a.ts'])
    expect(cycles([a, { ...b, text: `import type { a } from './a.ts'` }])).toEqual([])
  })
})
