// Runs the suites one after another: `npm test`, or some of them by name: `npm run test:ts`, `npm run lint`.
// Each has a time budget. It ends with one line a suite, and a last line with the sum.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { ROOT, runLogged, setup } from './lib/process.mjs'
import { SUITES } from './lib/suites.mjs'

const RESULTS = join(ROOT, 'test-results')
const TAIL = 80

const named = process.argv.slice(2)
const wanted = named.length > 0 ? named : Object.keys(SUITES).filter((name) => !SUITES[name].byName)
const unknown = wanted.find((name) => SUITES[name] === undefined)
if (unknown !== undefined) {
  console.error(`test: no suite is called ${unknown}; there are ${Object.keys(SUITES).join(', ')}`)
  process.exit(2)
}
/** One suite by itself is watched; of many, only the ends are shown, and the logs are kept. */
const live = wanted.length === 1

setup()
const built = buildWhatIsNeeded()
const summaries = [...(built === undefined ? [] : [built])]
for (const name of wanted) summaries.push(await runSuite(name))
report(summaries)

function buildWhatIsNeeded() {
  const parts = [...new Set(wanted.flatMap((name) => SUITES[name].needs))]
  if (parts.length === 0) return undefined
  const start = performance.now()
  const args = [join(ROOT, 'scripts', 'build.mjs'), ...parts]
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  return { name: 'build', passed: 0, failed: status === 0 ? 0 : 1, seconds: secondsSince(start) }
}

async function runSuite(name) {
  const { commands, minutes, env = {} } = SUITES[name]
  const log = join(RESULTS, `${name}.log`)
  rmSync(log, { force: true })
  const start = performance.now()
  const deadline = Date.now() + minutes * 60_000
  const summary = { name, passed: 0, failed: 0 }
  if (!live)
    console.log(
      `\n${name}: ${commands.length === 1 ? '' : `${commands.length} commands, `}at most ${minutes} min`,
    )
  for (const { name: step, command, count, report: file } of commands) {
    if (file !== undefined) rmSync(file, { force: true })
    const [program, ...args] = command
    const result = await runLogged(program, args, { log, live, env, deadline })
    const { passed, failed } = count(result)
    summary.passed += passed
    summary.failed += failed
    if (failed > 0 && !live) console.log(lastLines(result.output))
    if (failed > 0)
      console.log(`${step ?? name}: FAILED${result.late ? ` (over ${minutes} min)` : ''}, see ${log}`)
  }
  summary.seconds = secondsSince(start)
  if (!live) console.log(line(summary))
  return summary
}

function report(all) {
  console.log('')
  for (const summary of all) console.log(line(summary))
  const sum = (field) => all.reduce((total, summary) => total + summary[field], 0)
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`)
  process.exitCode = sum('failed') === 0 ? 0 : 1
}

function line({ name, passed, failed, seconds }) {
  const counts = name === 'build' ? (failed === 0 ? 'ok' : 'failed') : `${passed} passed, ${failed} failed`
  return `${name.padEnd(10)} ${counts}  (${seconds} s)`
}

function lastLines(output) {
  return output.trimEnd().split('\n').slice(-TAIL).join('\n')
}

function secondsSince(start) {
  return Math.round((performance.now() - start) / 1000)
}
