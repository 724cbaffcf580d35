/** What an append waits for: a completed transaction, or one that was flushed. */
export type Durability = 'relaxed' | 'strict'

/** Kafka's numbers for what an acknowledgement promises. */
export const Acks = { NONE: 0, LEADER: 1, ALL: -1 } as const

/** The acks that the log is asked for: what the call says, unless the storage's own setting decides. */
export function acksUnder(durability: Durability | undefined, acks: number): number {
  if (durability === undefined) return acks
  return durability === 'strict' ? Acks.ALL : Acks.LEADER
}
