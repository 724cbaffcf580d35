import type { NativeError } from './types.ts'

/** Where the wasm comes from: compiled already, or bytes, or an answer to a request, or an address. */
export type WasmSource = WebAssembly.Module | BufferSource | Response | URL | string

/**
 * A part of the wasm: `core` runs by itself and appends; `late` is what consumers, forwarders and admins need beside
 * it. Where one wasm holds everything, it is the core.
 */
export type Part = 'core' | 'late'
type Sources = Partial<Record<Part, () => Promise<WasmSource>>>

let given: Sources = {}
let compiled: Partial<Record<Part, Promise<WebAssembly.Module>>> = {}

/** Says where the parts come from, unless that was said already. */
export function provide(sources: Sources): void {
  if (given.core === undefined) given = sources
}

/** Says where the wasm comes from, in place of whatever was said before. It is looked at when it is needed. */
export function initialize(source: WasmSource | Promise<WasmSource>): void {
  given = { core: async () => source }
  compiled = {}
}

/** A part of the wasm, compiled once for this realm. A failure is not kept: the next call tries again. */
export function wasmModule(part: Part = 'core'): Promise<WebAssembly.Module> {
  const source = given[part]
  if (source === undefined) {
    const message = 'headwater/slim holds no wasm: call initialize() with its address, bytes or module first'
    return Promise.reject(unavailable(message, false))
  }
  const loading =
    compiled[part] ??
    load(source).catch((error: unknown) => {
      delete compiled[part]
      throw error
    })
  compiled[part] = loading
  return loading
}

async function load(source: () => Promise<WasmSource>): Promise<WebAssembly.Module> {
  if (typeof WebAssembly === 'undefined') throw unavailable('there is no WebAssembly here', false)
  try {
    return await compile(await source())
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    // What cannot be compiled, or may not be by the page's policy, will be no better later; a network will.
    const final = error instanceof WebAssembly.CompileError
    throw unavailable(`the wasm could not be loaded: ${reason}`, !final, error)
  }
}

async function compile(source: WasmSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source
  if (typeof source === 'string' || source instanceof URL) return compileResponse(await fetch(source))
  if (typeof Response !== 'undefined' && source instanceof Response) return compileResponse(source)
  return WebAssembly.compile(source as BufferSource)
}

async function compileResponse(response: Response): Promise<WebAssembly.Module> {
  if (!response.ok) throw new Error(`${response.url} answered with status ${response.status}`)
  const type = response.headers.get('content-type') ?? ''
  if (type.startsWith('application/wasm')) return WebAssembly.compileStreaming(response)
  // Many servers name another type, which is no reason to fail, but a page in place of a file that is not there is.
  if (type.startsWith('text/html')) throw new Error(`${response.url} answered with a page`)
  return WebAssembly.compile(await response.arrayBuffer())
}

function unavailable(message: string, retriable: boolean, cause?: unknown): NativeError {
  const error = new Error(message, cause === undefined ? {} : { cause })
  return Object.assign(error, {
    kind: 'Unavailable',
    code: 'WASM_UNAVAILABLE',
    number: 1100,
    retriable,
  } as const)
}
