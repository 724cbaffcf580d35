import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { ROOT, run } from './process.mjs'
import { Reader, readNames } from './sections.mjs'
import { LEAN } from './wasm.mjs'

const CUSTOM = 0
const CODE = 10

/**
 * Compiles the page's wasm once more with its function names, and adds up the code of every crate; of this crate,
 * that of every floor and of what stands on it. A function made from a generic one counts where it was written.
 */
export function weighCrates() {
  const target = join(ROOT, 'target', 'weigh')
  const features = ['--lib', '--release', '--target', 'wasm32-unknown-unknown', '--target-dir', target]
  run('cargo', ['build', ...features, ...LEAN.options], {
    env: { ...LEAN.env, RUSTFLAGS: LEAN.flags, CARGO_PROFILE_RELEASE_STRIP: 'none' },
  })
  const compiled = join(target, 'wasm32-unknown-unknown', 'release', 'headwater.wasm')
  run('wasm-bindgen', ['--target', 'web', '--out-dir', target, compiled])
  const wasm = readFileSync(join(target, 'headwater_bg.wasm'))
  const weights = new Map()
  const add = (name, bytes) => weights.set(name, (weights.get(name) ?? 0) + bytes)
  const { functions, rest } = readFunctions(wasm)
  for (const { name, bytes } of functions) add(owner(name), bytes)
  for (const [name, bytes] of rest) add(name, bytes)
  const total = [...weights.values()].reduce((sum, bytes) => sum + bytes, 0)
  const shipped = readFileSync(join(ROOT, 'pkg', 'headwater_bg.wasm'))
  const sorted = [...weights].sort(([, left], [, right]) => right - left)
  return { total, gzip: gzipSync(shipped, { level: 9 }).length, weights: sorted }
}

function owner(name) {
  const [first = 'other', second, third] = name.match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? []
  if (first !== 'headwater') return name.includes('::') ? first : 'glue and start-up'
  const deep = second === 'client' || second === 'platform' || second === 'log'
  return `headwater::${second}${deep && third !== undefined && /^[a-z]/.test(third) ? `::${third}` : ''}`
}

/** The size of every function by its name, and of the other sections that ship. */
function readFunctions(wasm) {
  const reader = new Reader(wasm)
  const sections = reader.sections()
  const names = readNames(wasm)
  reader.position = sections.find(({ id }) => id === CODE).start
  const functions = Array.from({ length: reader.uint() }, (_, index) => {
    const bytes = reader.uint()
    reader.position += bytes
    return { name: names[index] ?? 'other', bytes }
  })
  const others = sections.filter(({ id }) => id !== CUSTOM && id !== CODE)
  const other = others.reduce((sum, { start, end }) => sum + end - start, 0)
  return { functions, rest: [['constants, tables and types', other]] }
}
