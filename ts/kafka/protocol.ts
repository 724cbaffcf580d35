import { type MessageBytes, text, view } from '../native/bytes.ts'
import type { Bytes } from '../native/frames.ts'

/** What a member tells an assigner of itself. */
export interface MemberMetadataFields {
  version: number
  topics: string[]
  /** Whatever the assigner of this member has to say to that of the group. Default: empty. */
  userData?: Bytes
}

/** What an assigner gives to a member. */
export interface MemberAssignmentFields {
  version: number
  /** Partitions by topic. */
  assignment: Record<string, number[]>
  /** Default: empty. */
  userData?: Bytes
}

/** What was decoded, its user data as bytes. */
export type Decoded<Fields> = Omit<Fields, 'userData'> & { userData: MessageBytes }

/** Writes Kafka's primitive types, big-endian. */
class Encoder {
  private readonly parts: Uint8Array[] = []

  number(value: number, size: 2 | 4): this {
    const part = new DataView(new ArrayBuffer(size))
    if (size === 2) part.setInt16(0, value)
    else part.setInt32(0, value)
    this.parts.push(new Uint8Array(part.buffer))
    return this
  }

  bytes(value: Bytes, size: 2 | 4): this {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
    this.number(bytes.length, size).parts.push(bytes)
    return this
  }

  array<Item>(items: Item[], write: (item: Item) => void): this {
    this.number(items.length, 4)
    items.forEach(write)
    return this
  }

  end(): MessageBytes {
    const bytes = new Uint8Array(this.parts.reduce((length, part) => length + part.length, 0))
    let at = 0
    for (const part of this.parts) {
      bytes.set(part, at)
      at += part.length
    }
    return view(bytes, 0, bytes.length)
  }
}

class Decoder {
  private at = 0
  private readonly data: DataView

  constructor(private readonly source: Uint8Array) {
    this.data = new DataView(source.buffer, source.byteOffset, source.length)
  }

  number(size: 2 | 4): number {
    this.at += size
    return size === 2 ? this.data.getInt16(this.at - 2) : this.data.getInt32(this.at - 4)
  }

  bytes(size: 2 | 4): MessageBytes {
    const length = Math.max(this.number(size), 0)
    this.at += length
    return view(this.source, this.at - length, length)
  }

  array<Item>(read: () => Item): Item[] {
    return Array.from({ length: this.number(4) }, read)
  }
}

/** Kafka's bytes for what members and assigners tell each other. */
export const AssignerProtocol: {
  MemberMetadata: {
    encode(metadata: MemberMetadataFields): MessageBytes
    decode(bytes: Uint8Array): Decoded<MemberMetadataFields>
  }
  MemberAssignment: {
    encode(assignment: MemberAssignmentFields): MessageBytes
    /** `null` where there are no bytes. */
    decode(bytes: Uint8Array): Decoded<MemberAssignmentFields> | null
  }
} = {
  MemberMetadata: {
    encode({ version, topics, userData = '' }) {
      const encoder = new Encoder().number(version, 2)
      return encoder
        .array(topics, (topic) => encoder.bytes(topic, 2))
        .bytes(userData, 4)
        .end()
    },
    decode(bytes) {
      const decoder = new Decoder(bytes)
      const version = decoder.number(2)
      return { version, topics: decoder.array(() => text(decoder.bytes(2))), userData: decoder.bytes(4) }
    },
  },
  MemberAssignment: {
    encode({ version, assignment, userData = '' }) {
      const encoder = new Encoder().number(version, 2)
      return encoder
        .array(Object.entries(assignment), ([topic, partitions]) =>
          encoder.bytes(topic, 2).array(partitions, (partition) => encoder.number(partition, 4)),
        )
        .bytes(userData, 4)
        .end()
    },
    decode(bytes) {
      if (bytes.length < 2) return null
      const decoder = new Decoder(bytes)
      const version = decoder.number(2)
      const topics = decoder.array(() => [text(decoder.bytes(2)), decoder.array(() => decoder.number(4))])
      return { version, assignment: Object.fromEntries(topics), userData: decoder.bytes(4) }
    },
  },
}
