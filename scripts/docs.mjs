// The API reference, from the doc comments: `npm run docs` writes docs/api. TypeDoc wants an older TypeScript than
// this project is written with, so the two have a place of their own beside the other tools.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, setup, TOOLS } from './lib/process.mjs'

const VERSIONS = { typedoc: '0.28.20', typescript: '5.9.3' }
const ENTRIES = ['ts/index.ts', 'ts/slim.ts', 'ts/tracker/index.ts', 'ts/collector/index.ts']

const folder = join(TOOLS, `typedoc-${VERSIONS.typedoc}-${VERSIONS.typescript}`)
const typedoc = join(folder, 'node_modules', 'typedoc', 'bin', 'typedoc')

setup()
if (!existsSync(typedoc)) install()
const options = [
  ...['--tsconfig', 'tsconfig.build.json', '--readme', 'README.md', '--out', join('docs', 'api')],
  // `tsc` checks the sources, with the compiler that they are written for.
  // Links to sources would differ with the clone that they are made in.
  '--disableSources',
  ...['--skipErrorChecking', '--excludeInternal', '--excludePrivate', '--treatWarningsAsErrors'],
  ...['--intentionallyNotExported', 'ts/kafka/consuming.ts:CONSUMER_EVENTS'],
]
process.stdout.write(run('node', [typedoc, ...options, ...ENTRIES]))

function install() {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const packages = Object.entries(VERSIONS).map(([name, version]) => `${name}@${version}`)
  run('npm', ['install', '--prefix', folder, '--save-exact', '--no-audit', '--no-fund', ...packages])
}
