import { murmur2 } from '../native/murmur2.ts'
import type { Message } from './producer.ts'

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
export const DefaultPartitioner: CreatePartitioner = () => {
  const turns = new Map<string, number>()
  return ({ topic, partitionMetadata, message }) => {
    if (message.partition !== undefined && message.partition !== null) return message.partition
    const count = partitionMetadata.length
    if (message.key !== undefined && message.key !== null) return (murmur2(message.key) & 0x7fffffff) % count
    const available = partitionMetadata.filter(({ leader }) => leader >= 0)
    const turn = turns.get(topic) ?? Math.floor(Math.random() * 2 ** 30)
    turns.set(topic, turn + 1)
    return available[turn % Math.max(1, available.length)]?.partitionId ?? 0
  }
}

/** The partitioners by name. */
export const Partitioners: {
  DefaultPartitioner: CreatePartitioner
  JavaCompatiblePartitioner: CreatePartitioner
} = { DefaultPartitioner, JavaCompatiblePartitioner: DefaultPartitioner }

/** What the partitions of a topic look like from here: one node leads them all. */
export function partitionMetadata(count: number): PartitionMetadata[] {
  return Array.from({ length: count }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [0],
    isr: [0],
  }))
}
