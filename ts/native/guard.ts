type Call = (...given: unknown[]) => unknown

/** What runs a closure of the wasm has such a name in the exports: with the symbols of the crate, or without. */
const CLOSURE = /closures_+invoke|^__wasm_bindgen_func_elem/

/**
 * The exports of an instance, guarded: `trapped` hears of the first trap, wherever it came from. Most of the wasm
 * runs in tasks of its own, from timers and promises, where nobody would catch it.
 */
export function guarded(
  exports: WebAssembly.Exports,
  trapped: (reason: string) => void,
): WebAssembly.Exports {
  let depth = 0
  const guard =
    (call: Call, ofTask: boolean): Call =>
    (...given) => {
      depth += 1
      try {
        return call(...given)
      } catch (error) {
        // Whatever was thrown, the wasm was left in the middle of something.
        trapped(error instanceof Error ? error.message : String(error))
        // Below a task there is nobody but the page's own error handler. The glue reads what there is to throw from
        // the answer: nothing.
        if (ofTask && depth === 1) return []
        throw error
      } finally {
        depth -= 1
      }
    }
  const entries = Object.entries(exports).map(([name, value]) => [
    name,
    typeof value === 'function' ? guard(value as Call, CLOSURE.test(name)) : value,
  ])
  return Object.fromEntries(entries)
}
