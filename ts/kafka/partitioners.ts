import type { Bytes } from '../native/frames.ts'
import { murmur2 } from '../native/murmur2.ts'
import { legacyMurmur2 } from './legacy-murmur2.ts'
import type { Message } from './messages.ts'

/** A partition, as a partitioner sees it. */
export interface PartitionMetadata {
  partitionErrorCode: number
  partitionId: number
  leader: number
  replicas: number[]
  isr: number[]
}

/** What a partitioner is given. */
export interface PartitionerArgs {
  topic: string
  partitionMetadata: PartitionMetadata[]
  message: Message
}

/** Chooses a partition for a message. */
export type Partitioner = (args: PartitionerArgs) => number

/** Makes a partitioner. */
export type CreatePartitioner = () => Partitioner

/** Explicit partition, else the key's murmur2 as Java's client has it, else in turn. */
export const DefaultPartitioner: CreatePartitioner = () => partitioner(murmur2)

/** The default of KafkaJS 1.x, whose murmur2 differs from Java's: for logs that were partitioned by it. */
export const LegacyPartitioner: CreatePartitioner = () => partitioner(legacyMurmur2)

function partitioner(hash: (key: Bytes) => number): Partitioner {
  const turns = new Map<string, number>()
  return ({ topic, partitionMetadata, message: { partition, key } }) => {
    if (partition !== undefined && partition !== null) return partition
    if (key !== undefined && key !== null) return (hash(key) & 0x7fffffff) % partitionMetadata.length
    const available = partitionMetadata.filter(({ leader }) => leader >= 0)
    const candidates = available.length > 0 ? available : partitionMetadata
    const turn = turns.get(topic) ?? Math.floor(Math.random() * candidates.length)
    turns.set(topic, turn + 1)
    return candidates[turn % candidates.length]?.partitionId ?? 0
  }
}

/** The partitioners by name, as KafkaJS has them. */
export const Partitioners: {
  DefaultPartitioner: CreatePartitioner
  /** Another name of the default one. */
  JavaCompatiblePartitioner: CreatePartitioner
  LegacyPartitioner: CreatePartitioner
} = { DefaultPartitioner, JavaCompatiblePartitioner: DefaultPartitioner, LegacyPartitioner }

/** The one node there is. */
export const NODE = 0

/** What the partitions of a topic look like from here: the node leads them all. */
export function partitionMetadata(count: number): PartitionMetadata[] {
  return Array.from({ length: count }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: NODE,
    replicas: [NODE],
    isr: [NODE],
  }))
}
