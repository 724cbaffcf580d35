import type { createGlue as CreateGlue, Glue } from '../generated/page-glue.js'
import { guard } from './guard.ts'
import { wasmModule } from './source.ts'

/** A running copy of the wasm. One that trapped is poisoned: nobody may call into it again. */
export class Instance {
  private readonly copy: Glue
  private readonly listeners = new Set<(reason: string) => void>()
  private reason: string | undefined
  private exports: WebAssembly.Exports = {}
  /** The exports as the glue has them; those of what is loaded late join them. */
  private guarded: WebAssembly.Exports = {}
  private imports: WebAssembly.Imports = {}
  private completing: Promise<void> | undefined
  private readonly guard = guard((reason) => this.poison(reason))

  /** A copy that does not run yet; see {@link instance}. */
  constructor(createGlue: typeof CreateGlue) {
    this.copy = createGlue(async (module, imports) => {
      const { exports } = await WebAssembly.instantiate(module, imports)
      this.exports = exports
      this.imports = imports
      this.guarded = this.guard(exports)
      return { instance: { exports: this.guarded }, module }
    })
  }

  /** The classes of the wasm. */
  get glue(): Glue {
    return this.copy
  }

  /** Why it trapped, if it did. */
  get poisoned(): string | undefined {
    return this.reason
  }

  async start(module: WebAssembly.Module): Promise<void> {
    // Never the synchronous way, which browsers refuse a page for modules of more than a few kilobytes.
    await this.copy.default(module)
  }

  /** True if it holds all of the wasm from the start; see {@link complete}. */
  get whole(): boolean {
    return !('sp' in this.exports)
  }

  /** Loads what only consumers, forwarders and admins need: it fills a table of the core's. */
  complete(): Promise<void> {
    if (this.whole) return Promise.resolve()
    this.completing ??= this.load().catch((error: unknown) => {
      this.completing = undefined
      throw error
    })
    return this.completing
  }

  private async load(): Promise<void> {
    const used = this.exports['used'] as WebAssembly.Table
    const core = { ...this.exports }
    for (let index = 0; index < used.length; index++) core[index] = used.get(index) as WebAssembly.ExportValue
    const { exports } = await WebAssembly.instantiate(await wasmModule('late'), { ...this.imports, core })
    Object.assign(this.guarded, this.guard(exports))
  }

  /** It has trapped, or is about to. */
  poison(reason: string): void {
    if (this.reason !== undefined) return
    this.reason = reason
    if (running === this) {
      running = undefined
      starting = undefined
    }
    // What trapped may still be on the stack.
    queueMicrotask(() => {
      for (const listener of this.listeners) listener(reason)
    })
  }

  /** Hears of the trap; answers what stops that. */
  onPoison(listener: (reason: string) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
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

async function start(): Promise<Instance> {
  // The glue is loaded with the wasm, which is the first moment that needs it.
  const [module, { createGlue }] = await Promise.all([wasmModule(), import('../generated/page-glue.js')])
  const started = new Instance(createGlue)
  await started.start(module)
  running = started
  return started
}
