import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from './process.mjs'

/** Builds the named parts (all where none is named), and ends this process where one fails. */
export function build(...parts) {
  const args = [join(ROOT, 'scripts', 'build.mjs'), ...parts]
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
