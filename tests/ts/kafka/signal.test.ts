import { describe, expect, test } from 'vitest'
import { functionSink } from '../../../ts/index.ts'
import { abortable } from '../../../ts/kafka/signal.ts'
import { memory, send, until } from '../support/kafka.ts'

const reason = new Error('enough')

describe('a signal', () => {
  test('that is aborted already stops the work before it begins', async () => {
    let begun = false
    const work = async () => {
      begun = true
    }
    await expect(abortable(AbortSignal.abort(reason), work)).rejects.toBe(reason)
    expect(begun).toBe(false)
  })

  test('ends the wait when it is aborted, and leaves nothing behind', async () => {
    const controller = new AbortController()
    const waiting = abortable(controller.signal, () => new Promise(() => undefined))
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(await abortable(new AbortController().signal, async () => 5)).toBe(5)
    await expect(abortable(new AbortController().signal, () => Promise.reject(reason))).rejects.toBe(reason)
    expect(await abortable(undefined, async () => 6)).toBe(6)
  })

  test('is heeded by everything that waits', async () => {
    const kafka = memory()
    const producer = kafka.producer({ transactionalId: 'tx' })
    await producer.connect()
    const transaction = await producer.transaction()
    const other = kafka.producer({ transactionalId: 'other' })
    await other.connect()
    const leaving = kafka.producer()
    await leaving.connect()
    const admin = kafka.admin()
    const signal = AbortSignal.abort(reason)
    const record = { topic: 't', messages: [{ value: 'x' }], signal }
    const resources = [{ type: 2, name: 't', configEntries: [] }]
    const calls: Record<string, () => Promise<unknown>> = {
      'kafka.forward': () => kafka.forward({ topic: 't', sink: functionSink(async () => undefined), signal }),
      'producer.connect': () => kafka.producer().connect({ signal }),
      'producer.send': () => producer.send(record),
      'producer.sendBatch': () => producer.sendBatch({ topicMessages: [record], signal }),
      'producer.flush': () => producer.flush({ signal }),
      'producer.transaction': () => other.transaction({ signal }),
      'producer.disconnect': () => leaving.disconnect({ signal }),
      'transaction.send': () => transaction.send(record),
      'admin.connect': () => kafka.admin().connect({ signal }),
      'admin.createTopics': () => admin.createTopics({ topics: [{ topic: 't' }], signal }),
      'admin.deleteTopics': () => admin.deleteTopics({ topics: ['t'], signal }),
      'admin.listTopics': () => admin.listTopics({ signal }),
      'admin.createPartitions': () =>
        admin.createPartitions({ topicPartitions: [{ topic: 't', count: 3 }], signal }),
      'admin.fetchTopicMetadata': () => admin.fetchTopicMetadata({ signal }),
      'admin.fetchTopicOffsets': () => admin.fetchTopicOffsets('t', { signal }),
      'admin.fetchTopicOffsetsByTimestamp': () => admin.fetchTopicOffsetsByTimestamp('t', 0, { signal }),
      'admin.deleteTopicRecords': () =>
        admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 0, offset: '0' }], signal }),
      'admin.describeConfigs': () => admin.describeConfigs({ resources, signal }),
      'admin.alterConfigs': () => admin.alterConfigs({ resources, signal }),
      'admin.describeCluster': () => admin.describeCluster({ signal }),
    }
    for (const [name, call] of Object.entries(calls)) await expect(call(), name).rejects.toBe(reason)
    expect(await admin.listTopics()).toEqual([])
    await expect(leaving.send({ topic: 't', messages: [] })).rejects.toMatchObject({ kind: 'Closed' })
    expect((await other.transaction()).isActive()).toBe(true)
  })

  test('stops a forwarder', async () => {
    const kafka = memory()
    const controller = new AbortController()
    const values: string[] = []
    const sink = functionSink(
      async (records) => void values.push(...records.map(({ value }) => String(value))),
    )
    await kafka.forward({ topic: 't', sink, lingerMs: 0, signal: controller.signal })
    await send(kafka, 't', ['a'])
    await until(() => values.length === 1, 'the first is delivered')
    controller.abort(reason)
    const next = new AbortController()
    const ending = kafka.forward({ topic: 't', sink, lingerMs: 0, signal: next.signal })
    next.abort(reason)
    await expect(ending).rejects.toBe(reason)
    await send(kafka, 't', ['b'])
    const forwarder = await kafka.forward({ topic: 't', sink, lingerMs: 0 })
    await until(() => values.length === 2, 'the second is delivered')
    await forwarder.stop()
    expect(values).toEqual(['a', 'b'])
  })
})
