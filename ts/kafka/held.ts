import type { NodeEvent } from '../native/types.ts'
import type { Place } from './sender.ts'

/** Records of one topic that are gone: no more than so many, a decimal number. */
export interface LostRecords {
  topic: string
  records: string
}

type Appended = Pick<Place, 'partition' | 'count'> & Partial<Pick<Place, 'logStartOffset'>>

/**
 * What a log in memory has, as far as its page was told: once the wasm has trapped there is nobody to ask. A log in memory
 * belongs to one realm, and all that is appended to it passes here.
 */
export class Held {
  /** By topic and partition: the first offset that is there, and the next. */
  private readonly places = new Map<string, Map<number, [start: bigint, end: bigint]>>()

  appended(topic: string, places: Appended[]): void {
    const partitions = this.places.get(topic) ?? new Map<number, [bigint, bigint]>()
    this.places.set(topic, partitions)
    for (const { partition, count, logStartOffset = 0n } of places) {
      const [start, end] = partitions.get(partition) ?? [0n, 0n]
      partitions.set(partition, [start > logStartOffset ? start : logStartOffset, end + BigInt(count)])
    }
  }

  /** What the log tells of its records: those that went, or have arrived elsewhere, cannot be lost. */
  heard({ topic, partition, logStartOffset, committed = logStartOffset }: NodeEvent): void {
    if (typeof topic !== 'string' || typeof partition !== 'number' || typeof committed !== 'string') return
    // A record may have arrived before its append is answered here.
    const partitions = this.places.get(topic) ?? new Map<number, [bigint, bigint]>()
    this.places.set(topic, partitions)
    const [start, end] = partitions.get(partition) ?? [0n, 0n]
    const begin = BigInt(committed)
    partitions.set(partition, [begin > start ? begin : start, end])
  }

  deleted(topic: string): void {
    this.places.delete(topic)
  }

  /** All of it is stored now but for these topics. */
  stored(but: ReadonlySet<string>): void {
    for (const topic of this.places.keys()) if (!but.has(topic)) this.deleted(topic)
  }

  /** It is lost. */
  take(): LostRecords[] {
    const lost: LostRecords[] = []
    for (const [topic, partitions] of this.places) {
      let records = 0n
      for (const [start, end] of partitions.values()) if (end > start) records += end - start
      if (records > 0n) lost.push({ topic, records: String(records) })
    }
    this.places.clear()
    return lost
  }
}
