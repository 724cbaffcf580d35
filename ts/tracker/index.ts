/** `headwater/tracker`: what users do, in the log at once and at the collector soon after. */

import { Tracker, type TrackerOptions } from './tracker.ts'

/** Makes a tracker. It may be used at once, before anything is loaded. */
export function createTracker(options: TrackerOptions): Tracker {
  return new Tracker(options)
}

export type { IdentityStorage } from './identity.ts'
export type { Context, Message } from './message.ts'
export type { StoredMessage } from './queue.ts'
export type { TrackerEvents, TrackerOptions } from './tracker.ts'
export { Tracker } from './tracker.ts'
