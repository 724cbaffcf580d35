/** What tabs do while nothing happens: how often they wake, and what they say. */

let wakes = 0
let heard = 0

/** Counts the timers of this tab that fire from now on; those that are set already are counted by nobody. */
export function countTimers(): void {
  const set = globalThis.setTimeout
  const counted = (handler: TimerHandler, ...rest: [number?, ...unknown[]]) => {
    const call = (...args: unknown[]) => {
      wakes += 1
      if (typeof handler === 'function') handler(...args)
    }
    return set(call, ...rest)
  }
  Object.assign(globalThis, { setTimeout: counted })
}

/** How many of the counted timers have fired. */
export function timers(): number {
  return wakes
}

/** Counts the messages that the nodes of the log `bench` send each other from now on. */
export function listen(): void {
  new BroadcastChannel('headwater/bench').onmessage = () => {
    heard += 1
  }
}

export function messages(): number {
  return heard
}

/**
 * What a member needs at the least: a message to one other every `interval` milliseconds, and its answer. The first
 * tab answers.
 */
export function beat(index: number, interval: number): void {
  const channel = new BroadcastChannel('bench-beat')
  channel.onmessage = ({ data }) => {
    if (index === 0 && data !== 0) channel.postMessage(0)
  }
  if (index > 0) setInterval(() => channel.postMessage(index), interval)
}
