/** headwater: Kafka's log in the browser. Nothing runs at import; the wasm is decoded at the first use. */

export { Kafka } from './inline.ts'
export * from './public.ts'
