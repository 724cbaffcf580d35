import { keyOf, type OffsetsByTopicPartition, type TopicPartition } from './consuming.ts'
import type { Work } from './handler.ts'

/** One partition that this consumer reads. */
export class Assigned implements TopicPartition {
  /** The next offset to commit; undefined where nothing was handled yet. */
  resolved: bigint | undefined
  /** Where the first fetch began. */
  from: bigint | undefined
  /** The high watermark, as last heard of. */
  end: bigint | undefined
  /** What was asked for before this moment of the session is stale. */
  since: number
  /** What is being handled. */
  work: Work | undefined

  constructor(
    readonly topic: string,
    readonly partition: number,
    since: number,
  ) {
    this.since = since
  }

  /** Nothing of it is handled any more: it is somebody else's. */
  hold(): void {
    this.since = Number.POSITIVE_INFINITY
    this.work?.discard()
  }

  /** Nothing of it is handled or committed any more: it is gone. */
  lose(): void {
    this.hold()
    this.resolved = undefined
  }

  /** How many offsets are not handled, where that is known. */
  get lag(): bigint | undefined {
    const at = this.resolved ?? this.from
    return this.end === undefined || at === undefined || at > this.end ? undefined : this.end - at
  }
}

/** The partitions that this consumer reads, and how far they are handled. */
export class Assignment implements Iterable<Assigned> {
  private readonly all = new Map<string, Assigned>()
  private readonly committed = new Map<string, bigint>()

  get({ topic, partition }: TopicPartition): Assigned | undefined {
    return this.all.get(`${topic}/${partition}`)
  }

  [Symbol.iterator](): Iterator<Assigned> {
    return this.all.values()
  }

  add(place: TopicPartition, since: number): Assigned {
    const assigned = new Assigned(place.topic, place.partition, since)
    this.all.set(keyOf(place), assigned)
    this.committed.delete(keyOf(place))
    return assigned
  }

  delete(place: TopicPartition): void {
    this.all.delete(keyOf(place))
  }

  byTopic(): Record<string, number[]> {
    const topics: Record<string, number[]> = Object.create(null)
    for (const { topic, partition } of this) topics[topic] = [...(topics[topic] ?? []), partition]
    return { ...topics }
  }

  places(): TopicPartition[] {
    return [...this].map(({ topic, partition }) => ({ topic, partition }))
  }

  /** What is resolved and not committed. */
  uncommitted(): OffsetsByTopicPartition {
    return byTopicPartition(
      [...this].flatMap((assigned) => {
        const { topic, partition, resolved } = assigned
        const changed = resolved !== undefined && resolved !== this.committed.get(keyOf(assigned))
        return changed ? [{ topic, partition, offset: String(resolved) }] : []
      }),
    )
  }

  /** How many offsets are resolved and not committed. */
  countUncommitted(): bigint {
    let count = 0n
    for (const assigned of this) {
      const { resolved, from } = assigned
      if (resolved !== undefined)
        count += resolved - (this.committed.get(keyOf(assigned)) ?? from ?? resolved)
    }
    return count
  }

  /** These were committed. */
  commit({ topics }: OffsetsByTopicPartition): void {
    for (const { topic, partitions } of topics) {
      for (const { partition, offset } of partitions) {
        this.committed.set(keyOf({ topic, partition }), BigInt(offset))
      }
    }
  }
}

/** Offsets sorted by their topics. */
export function byTopicPartition(offsets: (TopicPartition & { offset: string })[]): OffsetsByTopicPartition {
  const topics = new Map<string, { partition: number; offset: string }[]>()
  for (const { topic, ...rest } of offsets) topics.set(topic, [...(topics.get(topic) ?? []), rest])
  return { topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })) }
}
