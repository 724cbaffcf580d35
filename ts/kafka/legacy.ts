import type { Node } from '../generated/page-bindings.js'
import type { ConsumerOptions, NativeConsumer, Rebalance } from '../native/types.ts'

/** A consumer whose group has one member at a time. */
export function legacy(node: Node, groupId: string, { clientId }: ConsumerOptions): NativeConsumer {
  const native = node.consumer(groupId)
  const topics: string[] = []
  let handed = false
  let joined: Promise<void> = Promise.resolve()
  let left: () => void = () => undefined
  const leaving = new Promise<undefined>((resolve) => {
    left = () => resolve(undefined)
  })
  let started = false
  let begin: () => void = () => undefined
  const begun = new Promise<void>((resolve) => {
    begin = () => {
      started = true
      resolve()
    }
  })
  return {
    subscribe: (topic, fromBeginning) => {
      topics.push(topic)
      native.subscribe(topic, fromBeginning)
    },
    updateSubscription: () => undefined,
    assign: () => Promise.reject(new Error('assign')),
    join: () => {
      joined = native.join()
      return joined
    },
    async rebalance(): Promise<Rebalance | undefined> {
      if (handed) return leaving
      await null
      await joined
      handed = true
      const assignment = []
      for (const topic of topics) {
        const count = await node.partitions(topic, true)
        assignment.push({ topic, partitions: Array.from({ length: count }, (_, partition) => partition) })
      }
      const memberId = `${clientId}-${crypto.randomUUID()}`
      const member = { memberId, leaderId: memberId, isLeader: true, memberEpoch: 1 }
      return { kind: 'assign', partitions: assignment, assignment, ...member }
    },
    rebalanced: () => begin(),
    leave: async () => {
      left()
      begin()
      native.leave()
    },
    fetch: async (bytes) => {
      if (started) return native.fetch(bytes)
      await begun
      return undefined
    },
    wake: () => native.wake(),
    seek: (...place) => native.seek(...place),
    pause: (...place) => native.pause(...place),
    resume: (...place) => native.resume(...place),
    position: () => 0n,
    commit: (offsets) => native.commit(offsets),
    free: () => native.free(),
  }
}
