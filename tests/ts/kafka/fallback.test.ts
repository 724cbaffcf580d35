import { describe, expect, it } from 'vitest'
import type { Node } from '../../../ts/generated/page-bindings.js'
import { Fallback } from '../../../ts/kafka/fallback.ts'
import { RunningNode } from '../../../ts/kafka/running.ts'
import type { Instance } from '../../../ts/native/instance.ts'
import type { NodeEvent } from '../../../ts/native/types.ts'

/** A node whose storage can go away, and whose sends wait until the test ends them. */
class FakeNode {
  alive = true
  adopts: number[] = []
  adopted: unknown[] = []
  closed = false

  partitions(): Promise<number> {
    const type = this.alive ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'STORAGE_FAILED'
    return Promise.reject(
      Object.assign(new Error(type), { code: type, number: 3, kind: 'Unavailable', retriable: true }),
    )
  }

  adopt(memory: unknown): Promise<number> {
    this.adopted.push(memory)
    const records = this.adopts.shift()
    return records === undefined ? Promise.reject(new Error('it is gone again')) : Promise.resolve(records)
  }

  complete(): void {}

  close(): void {
    this.closed = true
  }
}

function running(node: FakeNode): RunningNode {
  const instance = { onPoison: () => () => {}, poisoned: undefined, whole: true }
  return new RunningNode(node as unknown as Node, instance as unknown as Instance, () => undefined)
}

function setUp() {
  const [stored, memory] = [new FakeNode(), new FakeNode()]
  const [storedNode, memoryNode] = [running(stored), running(memory)]
  const used: RunningNode[] = []
  const events: NodeEvent[] = []
  const opened = { memory: 0, stored: undefined as RunningNode | undefined }
  const fallback = new Fallback({
    openMemory: async () => {
      opened.memory += 1
      return memoryNode
    },
    openStored: async () => opened.stored,
    use: (node) => void used.push(node),
    event: (event) => void events.push(event),
  })
  return { stored, memory, storedNode, memoryNode, used, events, opened, fallback }
}

const never = () => new Promise<never>(() => undefined)
const outcome = (promise: Promise<unknown>) =>
  Promise.race([promise.catch(({ type }) => type), new Promise((resolve) => setTimeout(resolve, 5, 'waits'))])

describe('a log whose storage goes away', () => {
  it('goes on in memory: consumers come along, and what was sent waits for its answer', async () => {
    const { fallback, storedNode, memoryNode, used } = setUp()
    const sent = storedNode.run(never)
    const read = storedNode.read(never)
    await fallback.leave(storedNode)
    expect(used).toEqual([memoryNode])
    expect(fallback.active).toBe(true)
    expect(await outcome(read)).toBe('STORAGE_MOVED')
    expect(await outcome(storedNode.read(() => 1))).toBe('STORAGE_MOVED')
    expect(await outcome(sent)).toBe('waits')
    fallback.close()
  })

  it('stays in memory while the storage does not answer', async () => {
    const { fallback, stored, storedNode, used } = setUp()
    stored.alive = false
    await fallback.leave(storedNode)
    await fallback.probe()
    expect(used).toHaveLength(1)
    expect(stored.adopted).toEqual([])
    expect(fallback.active).toBe(true)
    fallback.close()
  })

  it('comes back with what memory took, before and during the move', async () => {
    const { fallback, stored, memory, storedNode, memoryNode, used, events } = setUp()
    await fallback.leave(storedNode)
    stored.adopts = [5, 2]
    const read = memoryNode.read(never)
    await fallback.probe()
    expect(stored.adopted).toEqual([memory, memory])
    expect(used).toEqual([memoryNode, storedNode])
    expect(events).toEqual([{ type: 'storage.recovered', records: 7 }])
    expect(await outcome(read)).toBe('STORAGE_MOVED')
    expect(await outcome(storedNode.read(() => 1))).toBe(1)
    expect(fallback.active).toBe(false)
  })

  it('stays in memory where the storage goes away again during the move', async () => {
    const { fallback, stored, storedNode, used, events } = setUp()
    await fallback.leave(storedNode)
    await fallback.probe()
    expect(used).toHaveLength(1)
    expect(events).toEqual([])
    stored.adopts = [3, 0]
    await fallback.probe()
    expect(events).toEqual([{ type: 'storage.recovered', records: 3 }])
  })

  it('uses the same memory when it happens again, since its forwarders may still deliver', async () => {
    const { fallback, stored, storedNode, memoryNode, used, opened } = setUp()
    stored.adopts = [0, 0]
    await fallback.leave(storedNode)
    await fallback.probe()
    expect(fallback.others(storedNode)).toEqual([memoryNode])
    await fallback.leave(storedNode)
    expect(opened.memory).toBe(1)
    expect(used).toEqual([memoryNode, storedNode, memoryNode])
    fallback.close()
  })
})

describe('a log that could only be opened in memory', () => {
  it('moves to the storage once that can be opened', async () => {
    const { fallback, stored, storedNode, memoryNode, used, opened } = setUp()
    fallback.begin(memoryNode)
    await fallback.probe()
    expect(used).toEqual([])
    opened.stored = storedNode
    stored.adopts = [4, 0]
    await fallback.probe()
    expect(used).toEqual([storedNode])
    expect(stored.adopted).toHaveLength(2)
  })

  it('closes what it has opened', async () => {
    const { fallback, stored, memory, storedNode } = setUp()
    await fallback.leave(storedNode)
    fallback.close()
    expect([stored.closed, memory.closed, fallback.active]).toEqual([true, true, false])
  })
})
