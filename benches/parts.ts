import type { Figure } from './figure.ts'
import { failover, idle, join, throughput } from './groups.ts'
import { appends, large, publishes, reads, sizes, sparse, tracks } from './log.ts'

/** How thorough a run is. */
export interface Scale {
  /** Rounds and sizes of the goals, instead of those that show that nothing got lost. */
  full: boolean
}

/** Measures something in browsers of its own. */
export type Part = (scale: Scale) => Promise<Figure[]>

export const PARTS: Record<string, Part> = {
  append: appends,
  read: reads,
  track: tracks,
  publish: publishes,
  sizes,
  sparse,
  large,
  failover,
  join,
  throughput,
  idle,
}

/** Several parts under one name. */
export const SETS: Record<string, string[]> = {
  default: ['append', 'read', 'track', 'publish', 'failover', 'join'],
  log: ['append', 'read', 'sizes', 'sparse', 'large'],
  groups: ['failover', 'join', 'throughput', 'idle'],
  all: Object.keys(PARTS),
}

/** The parts that these names stand for, each once; undefined where one is unknown. */
export function named(names: readonly string[]): string[] | undefined {
  const found = names.flatMap((name) => SETS[name] ?? [name])
  return found.every((name) => name in PARTS) ? [...new Set(found)] : undefined
}
