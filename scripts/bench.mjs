// Measures in Chromium, each figure as a ratio to something simpler in the same run: `npm run bench`, or parts of it
// by name: `npm run bench -- groups`. An unknown name tells what there is.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './lib/build.mjs'
import { ENVIRONMENT, ROOT, setup } from './lib/process.mjs'

setup()
build('page', 'collector', 'dist')
mkdirSync(join(ROOT, 'test-results'), { recursive: true })
const loader = join(ROOT, 'scripts', 'lib', 'typescript.mjs')
const bench = [join(ROOT, 'benches', 'run.ts'), '--report', join(ROOT, 'test-results', 'bench.json')]
const { status } = spawnSync(process.execPath, ['--import', loader, ...bench, ...process.argv.slice(2)], {
  cwd: ROOT,
  env: ENVIRONMENT,
  stdio: 'inherit',
})
process.exit(status ?? 1)
