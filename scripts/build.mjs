// Builds what is published, and the demo: `npm run build`, or some of it by name: `npm run build page dist`.
//   page, collector  the two wasm artifacts (skipped where their inputs are unchanged)
//   dist             the modules, the CommonJS modules, the declarations
//   demo             www/dist
import { performance } from 'node:perf_hooks'
import { buildDemo } from './lib/demo.mjs'
import { buildDist } from './lib/dist.mjs'
import { buildWasm } from './lib/wasm.mjs'

const PARTS = {
  page: () => buildWasm('page'),
  collector: () => buildWasm('collector'),
  dist: buildDist,
  demo: buildDemo,
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PARTS)

for (const name of wanted) {
  const part = PARTS[name]
  if (part === undefined) {
    console.error(`build: no part is called ${name}; there are ${Object.keys(PARTS).join(', ')}`)
    process.exit(2)
  }
  const start = performance.now()
  try {
    const changed = await part()
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`build: ${name} ${changed === false ? 'is up to date' : `took ${seconds} s`}`)
  } catch (error) {
    console.error(`build: ${name} failed\n${error.message}`)
    process.exit(1)
  }
}
