import { describe, expect, test } from 'vitest'
import { KafkaJSError } from '../../../ts/kafka/errors.ts'
import { session } from '../support/group.ts'
import { until } from '../support/kafka.ts'

const place = (partition: number) => ({ topic: 't', partition })

/** A handler that a test lets go on. */
function gate() {
  const seen: string[] = []
  const waiting: (() => void)[] = []
  return {
    seen,
    handle: ({ partition, message }: { partition: number; message: { offset: string } }) => {
      seen.push(`${partition}/${message.offset}`)
      return new Promise<void>((resolve) => waiting.push(resolve))
    },
    pass: () => waiting.shift()?.(),
  }
}

describe('partitions that come', () => {
  test('are read after onPartitionsAssigned, from where it seeks', async () => {
    const calls: string[] = []
    const made = session({
      eachMessage: async () => undefined,
      onPartitionsAssigned: async (partitions) => {
        await Promise.resolve()
        made.session.seek(place(1), 7n)
        calls.push(`assigned ${JSON.stringify(partitions)}`, ...made.native.calls)
      },
    })
    const joined: number[] = []
    const run = made.session.run(() => joined.push(made.session.epoch))
    await made.native.ask('assign', [0, 1], [0, 1])
    expect(calls).toEqual([`assigned ${JSON.stringify([place(0), place(1)])}`, 'seek 1 7'])
    expect(made.native.calls.at(-1)).toBe('rebalanced')
    expect(made.session.assignment.places()).toEqual([place(0), place(1)])
    expect(joined).toEqual([1])
    expect(made.events).toContain('GROUP_JOIN')
    made.session.end()
    await run
  })

  test('what was fetched of the last ownership is not handled', async () => {
    const { seen, handle, pass } = gate()
    const { native, session: running } = session({ eachMessage: handle })
    const run = running.run(() => undefined)
    await native.ask('assign', [0], [0])
    native.bring(0, 0, 1)
    await until(() => seen.length === 1, 'it is handled')
    await native.ask('lost', [0], [])
    await native.ask('assign', [0], [0])
    pass()
    native.bring(0, 0, 1)
    await until(() => seen.length === 2, 'it is handled again')
    expect(native.calls.filter((call) => call.startsWith('commit'))).toEqual([])
    running.end()
    pass()
    await run
    expect(native.calls.filter((call) => call.startsWith('commit'))).toEqual(['commit 0 1'])
  })
})

describe('storage that fails for a while', () => {
  const failed = (type = 'STORAGE_FAILED') => new KafkaJSError('it is held by another tab', { type })

  test('is read again, and the group is not left', async () => {
    const { seen, handle, pass } = gate()
    const { native, session: running } = session({ eachMessage: handle })
    native.unreadable.push(...Array.from({ length: 5 }, () => failed()))
    const run = running.run(() => undefined)
    await native.ask('assign', [0], [0])
    native.bring(0, 0, 1)
    await until(() => seen.length === 1, 'it is read')
    expect(native.unreadable).toEqual([])
    // They count from the last fetch that succeeded.
    native.unreadable.push(failed())
    pass()
    native.bring(0, 1, 1)
    await until(() => seen.length === 2, 'it is read again')
    running.end()
    pass()
    await run
  })

  test('and does not come back ends the session', async () => {
    const { native, session: running } = session({ eachMessage: async () => undefined })
    native.unreadable.push(...Array.from({ length: 6 }, () => failed()))
    await expect(running.run(() => undefined)).rejects.toMatchObject({ type: 'STORAGE_FAILED' })
    expect(native.unreadable).toEqual([])
  })

  test('is left at once where the log is another', async () => {
    const { native, session: running } = session({ eachMessage: async () => undefined })
    native.unreadable.push(failed('STORAGE_MOVED'), failed('STORAGE_MOVED'))
    await expect(running.run(() => undefined)).rejects.toMatchObject({ type: 'STORAGE_MOVED' })
    expect(native.unreadable).toHaveLength(1)
  })
})

describe('partitions that go', () => {
  test('wait for their handler and its commit, then for onPartitionsRevoked, and only then are gone', async () => {
    const { seen, handle, pass } = gate()
    const order: string[] = []
    const { native, session: running } = session({
      eachMessage: handle,
      onPartitionsRevoked: async (partitions) => {
        order.push(
          ...native.calls.filter((call) => call !== 'rebalanced'),
          `revoked ${partitions[0]?.partition}`,
        )
        // It may still commit.
        await running.commit({ topics: [{ topic: 't', partitions: [{ partition: 0, offset: '9' }] }] })
      },
    })
    const run = running.run(() => undefined)
    await native.ask('assign', [0, 1], [0, 1])
    native.bring(0, 5, 3)
    await until(() => seen.length === 1, 'it is being handled')
    let gone = false
    const revoked = native.ask('revoke', [0], [1]).then(() => {
      gone = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect([gone, order]).toEqual([false, []])
    pass()
    await revoked
    expect(seen).toEqual(['0/5'])
    expect(order).toEqual(['seek 0 6', 'commit 0 6', 'revoked 0'])
    expect(native.calls.slice(-2)).toEqual(['commit 0 9', 'rebalanced'])
    expect(running.assignment.places()).toEqual([place(1)])
    running.end()
    await run
  })

  test('are given up after the rebalance timeout, and what their handler does then is not committed', async () => {
    const { seen, handle, pass } = gate()
    const { native, session: running } = session({ eachMessage: handle }, { rebalanceTimeout: 5 })
    const run = running.run(() => undefined)
    await native.ask('assign', [0], [0])
    native.bring(0, 0, 2)
    await until(() => seen.length === 1, 'it is being handled')
    await native.ask('revoke', [0], [])
    running.end()
    pass()
    await run
    expect(seen).toEqual(['0/0'])
    expect(native.calls.filter((call) => call.startsWith('commit'))).toEqual([])
  })

  test('do not stop what is handled of the others', async () => {
    const { seen, handle, pass } = gate()
    const { native, session: running } = session({ eachMessage: handle, partitionsConsumedConcurrently: 2 })
    const run = running.run(() => undefined)
    await native.ask('assign', [0, 1], [0, 1])
    native.bring(1, 0, 2)
    await until(() => seen.length === 1, 'one is being handled')
    await native.ask('revoke', [0], [1])
    pass()
    await until(() => seen.length === 2, 'it goes on')
    pass()
    running.end()
    await run
    expect(seen).toEqual(['1/0', '1/1'])
    expect(native.calls).toContain('commit 1 2')
  })

  test('a handler of batches that breaks off because they go has handled only what it resolved', async () => {
    const { native, session: running } = session({
      eachBatch: async ({ batch, resolveOffset, isStale }) => {
        for (const { offset } of batch.messages) {
          if (isStale()) break
          resolveOffset(offset)
          if (offset === '1') void native.ask('revoke', [0], [])
          await new Promise((resolve) => setImmediate(resolve))
        }
      },
    })
    const run = running.run(() => undefined)
    await native.ask('assign', [0], [0])
    native.bring(0, 0, 5)
    await until(() => running.assignment.places().length === 0, 'it is given up')
    expect(native.calls.filter((call) => call.startsWith('commit'))).toEqual(['commit 0 2'])
    running.end()
    await run
  })

  test('that are lost are not committed, and onPartitionsLost is told', async () => {
    const { seen, handle, pass } = gate()
    const told: string[] = []
    const { native, session: running } = session({
      eachMessage: handle,
      onPartitionsRevoked: () => void told.push('revoked'),
      onPartitionsLost: (partitions) => void told.push(`lost ${partitions.length}`),
    })
    const run = running.run(() => undefined)
    await native.ask('assign', [0], [0])
    native.bring(0, 0, 2)
    await until(() => seen.length === 1, 'it is being handled')
    await native.ask('lost', [0], [])
    pass()
    running.end()
    await run
    expect(told).toEqual(['lost 1'])
    expect(seen).toEqual(['0/0'])
    expect(native.calls.filter((call) => call.startsWith('commit'))).toEqual([])
  })

  test('go with the end, too', async () => {
    const told: number[] = []
    const { native, session: running } = session({
      eachMessage: async () => undefined,
      onPartitionsRevoked: (partitions) => void told.push(partitions.length),
    })
    const run = running.run(() => undefined)
    await native.ask('assign', [0, 1], [0, 1])
    running.end()
    await run
    expect(told).toEqual([2])
  })
})

describe('what a group gives by mistake', () => {
  test('is told', async () => {
    const payloads: unknown[] = []
    const { native, session: running } = session(
      {},
      {
        topics: () => ['u'],
        emit: (name, payload) => name === 'RECEIVED_UNSUBSCRIBED_TOPICS' && payloads.push(payload),
      },
    )
    const run = running.run(() => undefined)
    await native.ask('assign', [0], [0])
    const topics = { assignedTopics: ['t'], topicsSubscribed: ['u'], topicsNotSubscribed: ['t'] }
    expect(payloads).toEqual([{ groupId: 'g', generationId: 1, memberId: 'm', ...topics }])
    running.end()
    await run
  })
})

describe('what ends a session', () => {
  test('a listener that throws', async () => {
    const { native, session: running } = session({
      onPartitionsAssigned: () => {
        throw new Error('no room')
      },
    })
    const run = running.run(() => undefined)
    void native.ask('assign', [0], [0])
    await expect(run).rejects.toThrow('no room')
  })

  test('a group that wants it no more', async () => {
    const { native, session: running } = session({ eachMessage: async () => undefined })
    const run = running.run(() => undefined)
    await native.ask('assign', [0], [0])
    void native.ask('lost', [0], [], new Error('another instance has this id'))
    await expect(run).rejects.toThrow('another instance has this id')
  })

  test('never a commit that is refused because the partitions have gone', async () => {
    const { native, session: running } = session({ eachMessage: async () => undefined })
    const run = running.run(() => undefined)
    await native.ask('assign', [0], [0])
    const refusal = Object.assign(new Error('stale'), {
      kind: 'Fenced',
      code: 'STALE_MEMBER_EPOCH',
      number: 113,
    })
    native.refusal = Object.assign(refusal, { retriable: false })
    native.bring(0, 0, 1)
    await until(() => running.progress === 1, 'it is handled')
    native.refusal = undefined
    running.end()
    await run
    expect(native.calls).toContain('commit 0 1')
  })
})
