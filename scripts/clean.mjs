// Removes what was built: `npm run clean`. The tools of scripts/setup and the store in ./data stay.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './lib/process.mjs'

for (const folder of ['dist', 'pkg', 'target', 'test-results', 'ts/generated', 'www/dist']) {
  rmSync(join(ROOT, folder), { recursive: true, force: true })
}
