import { collectorSink, Kafka } from 'headwater'
import { createTracker } from 'headwater/tracker'

export const library = { Kafka, collectorSink, createTracker }

declare global {
  /** What the tests drive from outside. */
  var headwater: typeof library
}

globalThis.headwater = library
