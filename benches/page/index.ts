/** What the parts of the bench call in tabs. */

import { append } from './append.ts'
import * as group from './group.ts'
import { handOver, serveHandOver } from './handover.ts'
import * as idle from './idle.ts'
import * as large from './large.ts'
import { read } from './read.ts'
import { size } from './sizes.ts'
import { sparse } from './sparse.ts'
import * as spread from './spread.ts'
import { echo, publish } from './tabs.ts'
import { track } from './track.ts'

const functions = {
  ...{ append, read, track, size, sparse, echo, publish, handOver, serveHandOver },
  ...group,
  ...idle,
  ...large,
  ...spread,
}

export type Bench = typeof functions

declare global {
  var bench: Bench
}

globalThis.bench = functions
