import { KafkaJSNonRetriableError } from '../kafka/errors.ts'
import type { Sink } from '../native/types.ts'
import { type ForwardedRecord, recordsOf } from './records.ts'
import { withTimeout } from './request.ts'

/** Takes the records of one delivery. When it rejects, or takes longer than 30 seconds, the same records come again. */
export type DeliverRecords = (records: ForwardedRecord[], options: { signal: AbortSignal }) => Promise<void>

/** Delivers to a function, at least once. `name` identifies the sink over reloads. */
export function functionSink(deliver: DeliverRecords, { name = 'function' }: { name?: string } = {}): Sink {
  if (typeof deliver !== 'function')
    throw new KafkaJSNonRetriableError(
      `Invalid sink, expected a function of records, received ${typeof deliver}`,
    )
  return {
    id: `function:${name}`,
    decode: true,
    async deliver(batches, { signal }) {
      const records = batches.flatMap(recordsOf)
      await withTimeout(signal, async (limited) => deliver(records, { signal: limited }))
      return { answers: batches.map(() => ({ result: 'accepted' })) }
    },
  }
}
