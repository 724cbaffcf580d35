import { createGlue, type Glue } from '../generated/collector-glue.js'
import type { Instantiate } from './engine.ts'

/** Makes instances of one module, which is compiled once: the one given, or the one that the package holds. */
export function instantiator(given: WebAssembly.Module | undefined): Instantiate {
  let module: Promise<WebAssembly.Module> | undefined
  return async (): Promise<Glue> => {
    module ??= given === undefined ? compiled() : Promise.resolve(given)
    const glue = createGlue()
    glue.initSync({ module: await module })
    return glue
  }
}

async function compiled(): Promise<WebAssembly.Module> {
  const { deflated } = await import('../generated/collector-wasm.ts')
  const bytes = Uint8Array.from(atob(deflated), (character) => character.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))
  return WebAssembly.compile(await new Response(stream).arrayBuffer())
}
