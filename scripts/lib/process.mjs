import { spawn, spawnSync } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** Where the tools are that this project installs for itself. */
export const TOOLS = process.env.HEADWATER_TOOLS ?? join(homedir(), '.cache', 'headwater', 'tools')

/** What commands run with: the tools that scripts/setup installed come before anything else of their name. */
export const ENVIRONMENT = {
  ...process.env,
  PATH: [
    join(TOOLS, 'bin'),
    join(ROOT, 'node_modules', '.bin'),
    join(homedir(), '.cargo', 'bin'),
    process.env.PATH,
  ].join(delimiter),
}

/** Runs scripts/setup, and ends this process where it fails: it has said what is missing. */
export function setup() {
  const { status } = spawnSync('bash', [join(ROOT, 'scripts', 'setup')], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** Runs a command to its end; throws with its output where it fails. */
export function run(command, args, { env = {} } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...ENVIRONMENT, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed (${status})\n${stdout}${stderr}`)
  return stdout
}

/**
 * Runs a command with its output in a log file, and on the terminal too where `live` says so. Past the deadline
 * it is ended with everything that it started: it leads a process group of its own.
 */
export function runLogged(command, args, { log, live, env = {}, deadline }) {
  mkdirSync(dirname(log), { recursive: true })
  const file = createWriteStream(log, { flags: 'a' })
  file.write(`$ ${command} ${args.join(' ')}\n`)
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...ENVIRONMENT, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  if (process.listenerCount('SIGINT') === 0) endWithThisProcess()
  running.add(child)
  const chunks = []
  const hear = (target) => (chunk) => {
    chunks.push(chunk)
    file.write(chunk)
    if (live) target.write(chunk)
  }
  child.stdout.on('data', hear(process.stdout))
  child.stderr.on('data', hear(process.stderr))
  let late = false
  const timer = setTimeout(
    () => {
      late = true
      end(child)
    },
    Math.max(0, deadline - Date.now()),
  )
  return new Promise((resolve) => {
    const finish = (status) => {
      clearTimeout(timer)
      running.delete(child)
      const output = Buffer.concat(chunks).toString()
      file.end(() => resolve({ status, output, late }))
    }
    child.on('error', (error) => {
      chunks.push(Buffer.from(String(error)))
      finish(1)
    })
    child.on('close', (code) => finish(code ?? 1))
  })
}

const running = new Set()

function end(child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Whoever stops this process stops what it runs. */
function endWithThisProcess() {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      for (const child of running) end(child)
      process.exit(130)
    })
  }
}
