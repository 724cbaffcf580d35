#!/usr/bin/env node
import { createRequire } from 'node:module'
import { collect } from './collect.ts'
import { UsageError } from './usage.ts'

const USAGE = `headwater: Kafka's log in the browser and at the edge

  headwater collect   takes what pages deliver, and keeps it in a log on disk
  headwater --version

"headwater collect --help" lists its options.
`

const COMMANDS: Record<string, (args: string[]) => Promise<void>> = { collect }

async function main([command, ...args]: string[]): Promise<void> {
  if (command === undefined || command === '--help' || command === '-h' || command === 'help') {
    process.stdout.write(USAGE)
  } else if (command === '--version' || command === '-v') {
    const manifest = createRequire(import.meta.url)('headwater/package.json') as { version: string }
    console.log(manifest.version)
  } else {
    const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined
    if (run === undefined) throw new UsageError(`there is no command "${command}"`, USAGE)
    await run(args)
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (error instanceof UsageError) {
    console.error(`headwater: ${error.message}\n\n${error.usage}`)
    process.exitCode = 2
  } else {
    console.error(`headwater: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
})
