import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { ROOT, run } from './process.mjs'

const CUSTOM = 0
const IMPORT = 2
const CODE = 10
const FUNCTION_NAMES = 1
const FUNCTION_KIND = 0

/**
 * Compiles the page's wasm once more with its function names, and adds up the code of every crate; of this crate,
 * that of every floor and of what stands on it. A function made from a generic one counts where it was written.
 */
export function weighCrates() {
  const target = join(ROOT, 'target', 'weigh')
  const features = ['--lib', '--release', '--target', 'wasm32-unknown-unknown', '--target-dir', target]
  run('cargo', ['build', ...features], { env: { CARGO_PROFILE_RELEASE_STRIP: 'none' } })
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
  let position = 8
  const uint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[position++]
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  const text = () => {
    const length = uint()
    position += length
    return wasm.toString('utf8', position - length, position)
  }
  const functions = []
  const names = new Map()
  let imported = 0
  let other = 0
  while (position < wasm.length) {
    const id = wasm[position++]
    const size = uint()
    const end = position + size
    if (id === IMPORT) imported = importedFunctions(uint, text, () => wasm[position++])
    if (id === CODE) {
      for (let count = uint(); count > 0; count--) {
        const bytes = uint()
        functions.push(bytes)
        position += bytes
      }
    } else if (id === CUSTOM && text() === 'name') {
      while (position < end) {
        const kind = wasm[position++]
        const next = uint() + position
        if (kind === FUNCTION_NAMES) for (let count = uint(); count > 0; count--) names.set(uint(), text())
        position = next
      }
    } else if (id !== CUSTOM) other += size
    position = end
  }
  const named = functions.map((bytes, index) => ({ name: names.get(index + imported) ?? 'other', bytes }))
  return { functions: named, rest: [['constants, tables and types', other]] }
}

/** How many functions the import section names; they come before the module's own in the count. */
function importedFunctions(uint, text, byte) {
  const functions = uint()
  for (let index = 0; index < functions; index++) {
    text()
    text()
    if (byte() !== FUNCTION_KIND) throw new Error('the wasm imports something that is no function')
    uint()
  }
  return functions
}
