import type { TopicPartitions } from './consuming.ts'

interface Place {
  topic: string
  partition: number
}

/** Which partitions are paused: single ones, and topics as a whole, known before their partitions are. */
export class Pauses {
  private readonly topics = new Set<string>()
  private readonly places = new Map<string, Set<number>>()
  private assignment: Record<string, number[]> = {}

  has(topic: string, partition: number): boolean {
    return this.topics.has(topic) || (this.places.get(topic)?.has(partition) ?? false)
  }

  /** Pauses; answers the assigned partitions among them. */
  pause(wanted: TopicPartitions[]): Place[] {
    for (const { topic, partitions } of wanted) {
      if (partitions === undefined) this.topics.add(topic)
      else this.places.set(topic, new Set([...(this.places.get(topic) ?? []), ...partitions]))
    }
    return this.meant(wanted)
  }

  /** Resumes; answers the assigned partitions among them. */
  resume(wanted: TopicPartitions[]): Place[] {
    for (const { topic, partitions } of wanted) {
      if (this.topics.delete(topic) && partitions !== undefined) {
        this.places.set(topic, new Set(this.assignment[topic] ?? []))
      }
      if (partitions === undefined) this.places.delete(topic)
      for (const partition of partitions ?? []) this.places.get(topic)?.delete(partition)
    }
    return this.meant(wanted)
  }

  /** These partitions are assigned now; answers which of them are paused already. */
  assigned(assignment: Record<string, number[]>): Place[] {
    this.assignment = assignment
    return this.meant(Object.keys(assignment).map((topic) => ({ topic }))).filter(({ topic, partition }) =>
      this.has(topic, partition),
    )
  }

  list(): { topic: string; partitions: number[] }[] {
    return Object.entries(this.assignment)
      .map(([topic, all]) => ({ topic, partitions: all.filter((partition) => this.has(topic, partition)) }))
      .filter(({ partitions }) => partitions.length > 0)
  }

  private meant(wanted: TopicPartitions[]): Place[] {
    return wanted.flatMap(({ topic, partitions }) =>
      (partitions ?? this.assignment[topic] ?? []).map((partition) => ({ topic, partition })),
    )
  }
}
