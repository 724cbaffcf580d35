import { createGlue, type Glue } from '../generated/page-glue.js'
import { wasmModule } from './source.ts'

/** A running copy of the wasm. One that trapped is poisoned: nobody may call into it again. */
export class Instance {
  private reason: string | undefined
  private readonly listeners = new Set<(reason: string) => void>()

  constructor(readonly glue: Glue) {}

  /** Why it trapped, if it did. */
  get poisoned(): string | undefined {
    return this.reason
  }

  /** It has trapped, or is about to. */
  poison(reason: string): void {
    if (this.reason !== undefined) return
    this.reason = reason
    if (running === this) {
      running = undefined
      starting = undefined
    }
    // The panic's own call is still on the stack.
    queueMicrotask(() => {
      for (const listener of this.listeners) listener(reason)
    })
  }

  /** Hears of the trap. */
  onPoison(listener: (reason: string) => void): void {
    this.listeners.add(listener)
  }
}

let starting: Promise<Instance> | undefined
let running: Instance | undefined

/** The instance of this realm; a new one where the last has trapped. */
export function instance(): Promise<Instance> {
  starting ??= start().catch((error: unknown) => {
    starting = undefined
    throw error
  })
  return starting
}

/** True for the error that a trap of the wasm throws. */
export function isTrap(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError
}

async function start(): Promise<Instance> {
  const module = await wasmModule()
  const glue = createGlue()
  // Never the synchronous way, which browsers refuse a page for modules of more than a few kilobytes.
  await glue.default({ module_or_path: module })
  const started = new Instance(glue)
  glue.onPanic((message: string) => started.poison(message))
  running = started
  return started
}
