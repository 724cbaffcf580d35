// What a page downloads: `npm run size`, gzipped, against the budget in size-budget.json, which fails the build. Of each
// entry: what is there at once, what the first event needs beside it, and all that it can load. `npm run size -- --crates`
// also says what each crate weighs in the wasm.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from './lib/build.mjs'
import { ROOT, setup } from './lib/process.mjs'
import { weighCrates } from './lib/weigh.mjs'

const DIST = join(ROOT, 'dist')

if (!process.argv.includes('--built')) {
  setup()
  build('page', 'collector', 'dist')
}
const budget = JSON.parse(readFileSync(join(ROOT, 'size-budget.json'), 'utf8'))
const rows = Object.keys(budget).map(measure)
printTable(rows)
if (process.argv.includes('--crates')) printCrates()
const over = rows.filter(({ gzip, limit }) => gzip > limit)
for (const { name, gzip, limit } of over)
  console.error(`size: ${name} is ${gzip - limit} bytes over its budget`)
process.exitCode = over.length === 0 ? 0 : 1

/** `index`, `index first` (what its first event needs) or `index all`. */
function measure(name) {
  const [entry, extent] = name.split(' ')
  const files = entry.endsWith('.wasm') ? [join(ROOT, 'pkg', 'headwater_bg.wasm')] : closure(entry, extent)
  let raw = 0
  let gzip = 0
  for (const file of files) {
    const bytes = readFileSync(file)
    raw += bytes.length
    gzip += gzipSync(bytes, { level: 9 }).length
  }
  return { name, files: files.length, raw, gzip, limit: budget[name] }
}

/** A module and what it imports: at once, for its first event, or ever. */
function closure(entry, extent) {
  const followed = {
    undefined: () => false,
    first: (path) => /page-(core|glue)/.test(path),
    all: () => true,
  }[extent]
  const seen = new Set()
  const visit = (file) => {
    if (seen.has(file)) return
    seen.add(file)
    const text = readFileSync(file, 'utf8')
    for (const [, later, path] of text.matchAll(/(?:from|import)\s*(\()?\s*"(\.{1,2}\/[^"]+\.js)"/g))
      if (later === undefined || followed(path)) visit(join(dirname(file), path))
  }
  visit(join(DIST, `${entry}.js`))
  return [...seen]
}

function printTable(measured) {
  console.log('entry            files      raw     gzip   budget')
  for (const { name, files, raw, gzip, limit } of measured) {
    const cells = [
      String(files).padStart(5),
      String(raw).padStart(8),
      String(gzip).padStart(8),
      String(limit).padStart(8),
    ]
    console.log(`${name.padEnd(16)} ${cells.join(' ')}${gzip > limit ? '  OVER' : ''}`)
  }
}

function printCrates() {
  const { total, gzip, weights } = weighCrates()
  console.log('\nin the wasm                            bytes  share   gzip, in proportion')
  for (const [name, bytes] of weights) {
    const share = bytes / total
    const cells = [
      String(bytes).padStart(8),
      `${(share * 100).toFixed(1)} %`.padStart(7),
      String(Math.round(share * gzip)).padStart(8),
    ]
    console.log(`${name.padEnd(34)} ${cells.join('')}`)
  }
}
