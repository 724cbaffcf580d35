import type { PartitionOffset } from '../native/types.ts'
import type { TopicPartition, TopicPartitionOffset, TopicPartitionOffsetAndMetadata } from './consuming.ts'
import type { NodeHandle } from './node.ts'

function thrown(error: unknown): never {
  throw error
}

type Ends = { partition: number; low: string; high: string }

/** What `read` says of each topic, told for each of the partitions that were asked for. */
async function eachOf<Found extends { partition: number }, Place extends TopicPartition, Result>(
  places: Place[],
  read: (topic: string) => Promise<Found[]>,
  result: (place: TopicPartition, found: Found | undefined) => Result,
): Promise<Result[]> {
  const topics = new Map<string, Promise<Found[]>>()
  for (const { topic } of places) if (!topics.has(topic)) topics.set(topic, read(topic))
  return Promise.all(
    places.map(async ({ topic, partition }) => {
      const found = await topics.get(topic)
      return result(
        { topic, partition },
        found?.find((each) => each.partition === partition),
      )
    }),
  )
}

/** The first offset, or the one behind the last, of each partition; '-1' where there is no such partition. */
export function endsOf(
  node: NodeHandle,
  places: TopicPartition[],
  end: 'low' | 'high',
  failed: (error: unknown) => never[] = thrown,
): Promise<TopicPartitionOffset[]> {
  return eachOf(
    places,
    async (topic) => (await node.call((open) => open.fetchTopicOffsets(topic)).catch(failed)) as Ends[],
    (place, found) => ({ ...place, offset: found?.[end] ?? '-1' }),
  )
}

/** What the group has committed for each partition; '-1' where it has nothing. */
export function committedOf(
  node: NodeHandle,
  groupId: string,
  places: TopicPartition[],
  failed: (error: unknown) => never[] = thrown,
): Promise<TopicPartitionOffsetAndMetadata[]> {
  return eachOf(
    places,
    async (topic) =>
      (await node.call((open) => open.fetchOffsets(groupId, topic)).catch(failed)) as PartitionOffset[],
    (place, found) => ({ ...place, offset: found?.offset ?? '-1', metadata: found?.metadata ?? null }),
  )
}
