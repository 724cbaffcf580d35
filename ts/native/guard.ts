type Call = (...given: unknown[]) => unknown

/** What runs a closure of the wasm is exported under such a name: see scripts/lib/names.mjs. */
const CLOSURE = /^\$/

/**
 * Guards the exports of an instance: `trapped` hears of the first trap, wherever it came from. Most of the wasm runs in
 * tasks of its own, from timers and promises, where nobody would catch it. What is loaded later of the same instance has
 * to be guarded by the same guard.
 */
export function guard(
  trapped: (reason: string) => void,
): (exports: WebAssembly.Exports) => WebAssembly.Exports {
  let depth = 0
  const guarded =
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
  return (exports) => {
    const entries = Object.entries(exports).map(([name, value]) => [
      name,
      typeof value === 'function' ? guarded(value as Call, CLOSURE.test(name)) : value,
    ])
    return Object.fromEntries(entries)
  }
}
