/** `headwater/collector`: takes what pages deliver, and keeps each record once. */

export { type Collector, createCollector } from './collector.ts'
export { openDiskStore } from './disk.ts'
export { memoryStore } from './memory.ts'
export type { CollectorLimits, CollectorOptions, CollectorTopic } from './options.ts'
export type { CollectedRecord, CollectorSink, DeadLetter, DeadLetterSink } from './sink.ts'
export type { Change, Row, Scan, Store } from './store.ts'
