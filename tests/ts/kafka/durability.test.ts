import { describe, expect, test, vi } from 'vitest'
import type { Node } from '../../../ts/generated/page-bindings.js'
import { Kafka, KafkaJSNonRetriableError, type StorageOptions } from '../../../ts/index.ts'
import { acksUnder, type Durability } from '../../../ts/kafka/durability.ts'
import { NodeHandle } from '../../../ts/kafka/node.ts'
import type { NativeTransaction } from '../../../ts/native/types.ts'

function kept(durability?: Durability): Kafka {
  const storage: StorageOptions = { type: 'memory', ...(durability === undefined ? {} : { durability }) }
  return new Kafka({ name: crypto.randomUUID(), storage })
}

/** What the log is asked for by `work`: the acks of its sends, and which of its transactions are relaxed. */
async function asked(work: () => Promise<unknown>): Promise<{ acks: number[]; relaxed: boolean[] }> {
  const seen = { acks: [] as number[], relaxed: [] as boolean[] }
  const watched = (node: Node): Node => {
    const send: Node['send'] = (topic, frames, ends, acks, create, compression) => {
      seen.acks.push(acks)
      return node.send(topic, frames, ends, acks, create, compression)
    }
    const commitTransaction = (transaction: NativeTransaction) => {
      seen.relaxed.push(transaction.relaxed)
      return node.commitTransaction(transaction)
    }
    return Object.assign(Object.create(node), { send, commitTransaction }) as Node
  }
  const spies = (['call', 'callCore'] as const).map((name) => {
    const original = NodeHandle.prototype[name]
    return vi.spyOn(NodeHandle.prototype, name).mockImplementation(function (this: NodeHandle, run) {
      return original.call(this, (node: Node) => run(watched(node))) as never
    })
  })
  try {
    await work()
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  return seen
}

describe('storage.durability', () => {
  test.for([
    [undefined, [-1, 1, 0], false],
    ['relaxed', [1, 1, 1], true],
    ['strict', [-1, -1, -1], false],
  ] as const)('%s decides what appends and transactions wait for', async ([durability, acks, relaxed]) => {
    await using producer = kept(durability).producer({ transactionalId: 't' })
    await producer.connect()
    const seen = await asked(async () => {
      await producer.send({ topic: 't', messages: [{ value: 'a' }] })
      await producer.send({ topic: 't', messages: [{ value: 'b' }], acks: 1 })
      expect(await producer.send({ topic: 't', messages: [{ value: 'c' }], acks: 0 })).toEqual([])
      const transaction = await producer.transaction()
      await transaction.send({ topic: 't', messages: [{ value: 'd' }] })
      await transaction.commit()
      await producer.flush()
    })
    expect(seen).toEqual({ acks, relaxed: [relaxed] })
  })

  test('is a word of two, as the kind of storage is', () => {
    const refused = (storage: unknown) => () => new Kafka({ storage: storage as StorageOptions })
    expect(refused({ durability: 'none' })).toThrow(KafkaJSNonRetriableError)
    expect(refused({ durability: 'none' })).toThrow('Invalid storage.durability "none"')
    expect(refused({ type: 'disk' })).toThrow('Invalid storage "disk"')
    expect(refused('disk')).toThrow('Invalid storage "disk"')
    expect(acksUnder('strict', 0)).toBe(-1)
  })

  test('needs no kind: the storage is what it would be', async () => {
    const kafka = new Kafka({ name: crypto.randomUUID(), storage: { durability: 'relaxed' } })
    const admin = kafka.admin()
    await admin.connect()
    expect(await admin.listTopics()).toEqual([])
    await admin.disconnect()
  })
})
