/** headwater without the wasm, which the caller gives, by `initialize()` or `new Kafka({ wasm })`. */

export { Kafka } from './kafka/kafka.ts'
export { initialize } from './native/source.ts'
export * from './public.ts'
