import { posix } from 'node:path'
import { exports, imports, members, names, namesReadAtImport, parse, statements, walk } from './syntax.ts'

/** A source file, its path from the root of the repository. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** Answers what is wrong with a file, a line each. */
export type Rule = (path: string, text: string) => string[]

export const LINES_MAX = 500

/** From the ground up. What stands on one row does not import its neighbours; the generated wasm lies below all. */
const FLOORS = [
  ['generated'],
  ['native'],
  ['kafka'],
  ['sinks'],
  ['index', 'slim'],
  ['tracker'],
  ['collector'],
  ['cli'],
]
/** The collector runs without the page's half, and a page without the collector's. */
const APART: Record<string, string[]> = {
  collector: ['native', 'kafka', 'sinks', 'public', 'inline', 'index', 'slim', 'tracker'],
  cli: ['native', 'kafka', 'sinks', 'public', 'inline', 'index', 'slim', 'tracker'],
}

/** No import goes up, and the collector and the page do not know each other. */
export const floors: Rule = (path, text) => {
  const own = floorOf(path)
  if (own === undefined) return []
  return imports(text).flatMap(({ from }) => {
    const other = from.startsWith('.') ? floorOf(posix.join(posix.dirname(path), from)) : undefined
    if (other === undefined || other.name === own.name) return []
    const apart = APART[own.name]?.includes(other.name) ?? false
    return other.row >= own.row || apart ? [`${path}: ${own.name} imports ${other.name}`] : []
  })
}

/** A page downloads nothing that is not in this repository, and has nothing that only servers have. */
export const pages: Rule = (path, text) => {
  const floor = floorOf(path)?.name
  if (floor === undefined || floor === 'collector' || floor === 'cli') return []
  const foreign = imports(text).filter(({ from, typeOnly }) => !from.startsWith('.') && !typeOnly)
  const servers = names(text).filter((name) => ['process', 'Buffer', 'require', '__dirname'].includes(name))
  return [...foreign.map(({ from }) => from), ...servers].map((name) => `${path}: ${name} in a page`)
}

/** Each option that a user may give has a doc comment: the API reference is made of them. */
export const options =
  (entries: readonly Source[]): Rule =>
  (path, text) => {
    const offered = new Set(entries.flatMap((entry) => exports(entry.text)))
    return members(text)
      .filter(({ owner }) => /(Config|Options)$/.test(owner) && offered.has(owner))
      .filter(({ start }) => !text.slice(0, start).trimEnd().endsWith('*/'))
      .map(({ owner, name }) => `${path}: ${owner}.${name} has no doc comment`)
  }

/** Nothing runs when a module is imported: not in a server's process, not in a page before it asks. */
export const silence: Rule = (path, text) => {
  if (!path.startsWith('ts/') || path.startsWith('ts/cli/')) return []
  const running = statements(text).map(({ type }) => type)
  const ambient = namesReadAtImport(text).filter((name) => AMBIENT.has(name))
  return [...running, ...ambient].map((what) => `${path}: ${what} when it is imported`)
}

/** Types are told, and the compiler is not talked over. */
export const types: Rule = (path, text) => {
  const found: string[] = []
  walk(parse(text), ({ type }) => {
    if (type === 'TSAnyKeyword') found.push(`${path}: any`)
    return true
  })
  const muted = text.match(/@ts-(ignore|expect-error|nocheck)/g) ?? []
  return [...found, ...muted.map((directive) => `${path}: ${directive}`)]
}

/** A library does not write to the console: its logger does, which an application can replace. */
export const consoles: Rule = (path, text) => {
  const allowed = !path.startsWith('ts/') || path.startsWith('ts/cli/') || path === 'ts/kafka/logger.ts'
  return !allowed && names(text).includes('console') ? [`${path}: console`] : []
}

/** A file is read in one sitting. */
export const length: Rule = (path, text) => {
  const lines = text.split('\n').length
  return lines < LINES_MAX ? [] : [`${path}: ${lines} lines, ${LINES_MAX} are too many`]
}

/** What is not done is in an issue, not in the source. */
export const markers: Rule = (path, text) => {
  const found = path.includes('tidy') ? [] : (text.match(/\b(TODO|FIXME|XXX|HACK)\b/g) ?? [])
  return found.map((marker) => `${path}: ${marker}`)
}

/** The cycles among files that import each other when they run, each told once. */
export function cycles(sources: readonly Source[]): string[] {
  const edges = new Map(sources.map(({ path, text }) => [path, targets(path, text)]))
  const found = new Set<string>()
  const done = new Set<string>()
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) found.add([...trail.slice(start), path].join(' -> '))
    if (start >= 0 || done.has(path)) return
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return [...found]
}

function targets(path: string, text: string): string[] {
  const relative = imports(text).filter(
    ({ from, typeOnly, lazy }) => from.startsWith('.') && !typeOnly && !lazy,
  )
  return relative.map(({ from }) => posix.join(posix.dirname(path), from))
}

function floorOf(path: string): { name: string; row: number } | undefined {
  const name = /^ts\/([a-z]+)/.exec(path)?.[1]
  const row = FLOORS.findIndex((names) => name !== undefined && names.includes(name))
  return name === undefined || row < 0 ? undefined : { name, row }
}

const AMBIENT = new Set([
  ...['window', 'document', 'navigator', 'location', 'self', 'globalThis', 'indexedDB', 'localStorage'],
  ...['sessionStorage', 'fetch', 'setTimeout', 'setInterval', 'queueMicrotask', 'addEventListener', 'Worker'],
  ...['BroadcastChannel', 'crypto', 'performance', 'Date', 'Math', 'process', 'console', 'WebAssembly'],
  ...['AwaitExpression', 'ImportExpression'],
])
