/** So long a loop of awaited calls may keep a page from its other tasks, in milliseconds. */
const TURN_MS = 10

let since = Number.NEGATIVE_INFINITY
let turning: Promise<void> | undefined

/**
 * What is answered without any wait never lets a page come to its timers, its input or its frames: promises go first.
 * So the others have their turn from time to time. By a message, since timers wait for longer, and tests may hold them.
 */
export function turn(): Promise<void> | undefined {
  if (turning !== undefined) return turning
  if (performance.now() - since < TURN_MS || typeof MessageChannel === 'undefined') return undefined
  turning = new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      turning = undefined
      since = performance.now()
      resolve()
    }
    port2.postMessage(null)
  })
  return turning
}
