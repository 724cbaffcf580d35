import {
  fromNative,
  KafkaJSBrokerNotFound,
  KafkaJSDeleteTopicRecordsError,
  type KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSOffsetOutOfRange,
} from './errors.ts'
import type { Logger } from './logger.ts'
import type { NodeHandle } from './node.ts'
import { long } from './validate.ts'

/** Records to delete: those before `offset`; '-1' means all. */
export interface SeekEntry {
  partition: number
  offset: string | bigint
}

interface Ends {
  partition: number
  low: string
  high: string
}

const ALL = -1n

/** Deletes the records of a topic before some offsets. */
export async function deleteTopicRecords(
  node: NodeHandle,
  log: Logger,
  topic: string,
  partitions: SeekEntry[],
): Promise<void> {
  if (typeof topic !== 'string' || topic === '')
    throw new KafkaJSNonRetriableError(`Invalid topic "${topic}"`)
  if (!Array.isArray(partitions) || partitions.length === 0)
    throw new KafkaJSNonRetriableError('Invalid partitions')
  const ends = (await node.call((open) => open.fetchTopicOffsets(topic))) as Ends[]
  const wanted = partitions.map(({ partition, offset }) => ({
    partition,
    offset: String(offset),
    end: ends[partition],
  }))
  const unknown = wanted.filter(({ end }) => end === undefined)
  if (unknown.length > 0) {
    const error = new KafkaJSBrokerNotFound('Could not find the leader for the partition', {
      retriable: false,
    })
    throw new KafkaJSDeleteTopicRecordsError({
      partitions: unknown.map(({ partition, offset }) => ({ partition, offset, error })),
    })
  }
  const failed = []
  for (const { partition, offset, end } of wanted) {
    const before = long(offset)
    if (before !== ALL && before < BigInt(end?.low ?? 0)) {
      const message =
        'The requested offset is before the earliest offset maintained on the partition - no records will be deleted from this partition'
      log.warn(message, { topic, partition, offset })
    }
    const error = await tried(node, topic, partition, before)
    if (error !== undefined) failed.push({ partition, offset, error })
  }
  if (failed.length === 0) return
  const error = new KafkaJSDeleteTopicRecordsError({ partitions: failed })
  throw error.retriable ? error : new KafkaJSNonRetriableError(error)
}

async function tried(
  node: NodeHandle,
  topic: string,
  partition: number,
  before: bigint,
): Promise<KafkaJSError | undefined> {
  try {
    await node.call((open) => open.deleteRecords(topic, partition, before))
    return undefined
  } catch (thrown) {
    const error = fromNative(thrown)
    if (!(error instanceof KafkaJSOffsetOutOfRange)) return error
    const message = 'The requested offset is not within the range of offsets maintained by the server'
    const { type = '', code = 0 } = error
    return new KafkaJSOffsetOutOfRange(message, {
      topic,
      partition,
      retriable: false,
      type,
      code,
      cause: error,
    })
  }
}
