import { createGlue, type Glue } from '../generated/collector-glue.js'
import type { Instantiate } from './engine.ts'

/** Makes instances of one module, which is compiled once: the one given, or the one that the package holds. */
export function instantiator(given: WebAssembly.Module | undefined): Instantiate {
  let module: Promise<WebAssembly.Module> | undefined
  return async (trapped): Promise<Glue> => {
    module ??= given === undefined ? compiled() : Promise.resolve(given)
    const glue = createGlue(async (module, imports) => {
      const { exports } = await WebAssembly.instantiate(module, imports)
      return { instance: { exports: guarded(exports, trapped) }, module }
    })
    await glue.default(await module)
    return glue
  }
}

type Call = (...given: unknown[]) => unknown

/** What runs a task of the wasm is exported under such a name: see scripts/lib/names.mjs. */
const TASK = /^\$/

/** The exports, of which `trapped` hears the first trap. That of a task would else end the process: nobody calls it. */
function guarded(exports: WebAssembly.Exports, trapped: (reason: unknown) => void): WebAssembly.Exports {
  const guard =
    (name: string, call: Call): Call =>
    (...given) => {
      try {
        return call(...given)
      } catch (error) {
        trapped(error)
        // The glue reads what there is to throw from the answer: nothing.
        if (TASK.test(name)) return []
        throw error
      }
    }
  const entries = Object.entries(exports).map(([name, value]) => [
    name,
    typeof value === 'function' ? guard(name, value as Call) : value,
  ])
  return Object.fromEntries(entries)
}

async function compiled(): Promise<WebAssembly.Module> {
  const { deflated } = await import('../generated/collector-wasm.ts')
  const bytes = Uint8Array.from(atob(deflated), (character) => character.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))
  return WebAssembly.compile(await new Response(stream).arrayBuffer())
}
