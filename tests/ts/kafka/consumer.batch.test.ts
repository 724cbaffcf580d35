import { describe, expect, test } from 'vitest'
import type { Batch, EachBatchPayload, OffsetsByTopicPartition } from '../../../ts/index.ts'
import { memory, numbers, send, until } from '../support/kafka.ts'
import { committed } from '../support/reading.ts'

const offsets = ({ messages }: Batch) => messages.map(({ offset }) => offset)

/** A consumer of 't' by batches. */
async function batches(
  kafka: ReturnType<typeof memory>,
  eachBatch: (payload: EachBatchPayload) => Promise<void>,
  config: { eachBatchAutoResolve?: boolean; autoCommit?: boolean; autoCommitThreshold?: number } = {},
) {
  const consumer = kafka.consumer({ groupId: 'g' })
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  await consumer.run({ eachBatch, ...config })
  return consumer
}

describe('eachBatch', () => {
  test('is given what one fetch has brought', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const seen: Batch[] = []
    const consumer = await batches(kafka, async ({ batch, isRunning, isStale }) => {
      expect([isRunning(), isStale()]).toEqual([true, false])
      seen.push(batch)
    })
    await until(() => seen.length === 1, 'it is handled')
    const [batch] = seen
    expect(batch).toMatchObject({ topic: 't', partition: 0, highWatermark: '3' })
    expect(batch?.messages.map(({ value }) => String(value))).toEqual(numbers(3))
    expect([batch?.isEmpty(), batch?.firstOffset(), batch?.lastOffset()]).toEqual([false, '0', '2'])
    expect([batch?.offsetLag(), batch?.offsetLagLow()]).toEqual(['0', '2'])
    await consumer.stop()
    expect(await committed(kafka, 't')).toEqual(['3'])
    await consumer.disconnect()
  })

  test('that fails gets what is not resolved again, and the rest is committed', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(4))
    const seen: string[][] = []
    const before: string[][] = []
    const consumer = await batches(kafka, async ({ batch, resolveOffset }) => {
      seen.push(offsets(batch))
      if (seen.length > 1) return void before.push(await committed(kafka, 't'))
      resolveOffset('1')
      throw new Error('not now')
    })
    await until(() => before.length === 1, 'it is handled')
    expect(seen).toEqual([
      ['0', '1', '2', '3'],
      ['2', '3'],
    ])
    expect(before).toEqual([['2']])
    await consumer.disconnect()
  })

  test('that resolves by itself is given the rest again', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(4))
    const seen: string[][] = []
    const consumer = await batches(
      kafka,
      async ({ batch, resolveOffset }) => {
        seen.push(offsets(batch))
        resolveOffset(seen.length === 1 ? '2' : '3')
      },
      { eachBatchAutoResolve: false },
    )
    await until(() => seen.length === 2, 'the rest is handled')
    expect(seen[1]).toEqual(['3'])
    await consumer.stop()
    expect(await committed(kafka, 't')).toEqual(['4'])
    await consumer.disconnect()
  })

  test('that stops where isRunning says so has handled only what it resolved', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(4))
    let stopped: Promise<void> | undefined
    const consumer = await batches(kafka, async ({ batch, resolveOffset, isRunning }) => {
      for (const { offset } of batch.messages) {
        if (!isRunning()) break
        resolveOffset(offset)
        if (offset === '1') stopped = consumer.stop()
      }
    })
    await until(() => stopped !== undefined, 'it is being stopped')
    await stopped
    expect(await committed(kafka, 't')).toEqual(['2'])
    await consumer.disconnect()
  })

  test('is stale after a seek, which counts for more than what is resolved', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(4))
    const seen: string[] = []
    const consumer = await batches(kafka, async ({ batch, resolveOffset, isStale, heartbeat }) => {
      for (const { offset } of batch.messages) {
        if (isStale()) break
        seen.push(offset)
        if (seen.length === 2) consumer.seek({ topic: 't', partition: 0, offset: '0' })
        resolveOffset(offset)
        await heartbeat()
      }
    })
    await until(() => seen.length === 6, 'it is read again')
    expect(seen).toEqual(['0', '1', '0', '1', '2', '3'])
    await consumer.disconnect()
  })

  test('pauses its partition, and reads on where it stopped', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const seen: string[] = []
    let resume: (() => void) | undefined
    const consumer = await batches(
      kafka,
      async ({ batch, pause, resolveOffset }) => {
        for (const { offset } of batch.messages) {
          if (resume === undefined && offset === '1') {
            resume = pause()
            break
          }
          seen.push(offset)
          resolveOffset(offset)
        }
      },
      { eachBatchAutoResolve: false },
    )
    await until(() => resume !== undefined, 'it has paused')
    expect(consumer.paused()).toEqual([{ topic: 't', partitions: [0] }])
    expect(seen).toEqual(['0'])
    resume?.()
    await until(() => seen.length === 3, 'it reads on')
    expect(seen).toEqual(['0', '1', '2'])
    await consumer.disconnect()
  })

  test('knows what is not committed, and commits it', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(3))
    const uncommitted: OffsetsByTopicPartition[] = []
    let done = false
    const consumer = await batches(
      kafka,
      async ({ uncommittedOffsets, commitOffsetsIfNecessary, resolveOffset }) => {
        uncommitted.push(uncommittedOffsets())
        resolveOffset('0')
        uncommitted.push(uncommittedOffsets())
        await commitOffsetsIfNecessary(uncommittedOffsets())
        uncommitted.push(uncommittedOffsets())
        done = true
      },
      { autoCommit: false, eachBatchAutoResolve: true },
    )
    await until(() => done, 'it is handled')
    const one = { topics: [{ topic: 't', partitions: [{ partition: 0, offset: '1' }] }] }
    expect(uncommitted).toEqual([{ topics: [] }, one, { topics: [] }])
    expect(await committed(kafka, 't')).toEqual(['1'])
    await consumer.disconnect()
  })

  test('commits within a batch once the threshold is reached', async () => {
    const kafka = memory()
    await send(kafka, 't', numbers(10))
    const found: string[] = []
    const consumer = await batches(
      kafka,
      async ({ batch, resolveOffset, commitOffsetsIfNecessary }) => {
        for (const { offset } of batch.messages) {
          resolveOffset(offset)
          await commitOffsetsIfNecessary()
          found.push((await committed(kafka, 't'))[0] ?? '')
        }
      },
      { autoCommitThreshold: 4 },
    )
    await until(() => found.length === 10, 'it is handled')
    expect(found).toEqual(['-1', '-1', '-1', '4', '4', '4', '4', '8', '8', '8'])
    await consumer.disconnect()
  })
})

describe('partitionsConsumedConcurrently', () => {
  test('handles so many partitions at a time, and each in order', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 5 }] })
    for (let partition = 0; partition < 5; partition++) await send(kafka, 't', numbers(20), partition)
    const consumer = kafka.consumer({ groupId: 'g', maxBytesPerPartition: 1 })
    const running = new Set<number>()
    const seen: string[][] = [[], [], [], [], []]
    let most = 0
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      partitionsConsumedConcurrently: 3,
      eachMessage: async ({ partition, message }) => {
        expect(running.has(partition)).toBe(false)
        running.add(partition)
        most = Math.max(most, running.size)
        await new Promise((resolve) => setImmediate(resolve))
        running.delete(partition)
        seen[partition]?.push(String(message.value))
      },
    })
    await until(() => seen.flat().length === 100, 'all are handled')
    expect(most).toBe(3)
    expect(seen).toEqual(Array.from({ length: 5 }, () => numbers(20)))
    await consumer.stop()
    expect(await committed(kafka, 't')).toEqual(['20', '20', '20', '20', '20'])
    await consumer.disconnect()
  })

  test('one slow partition holds up no other', async () => {
    const kafka = memory()
    await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: 2 }] })
    await send(kafka, 't', ['slow'], 0)
    const consumer = kafka.consumer({ groupId: 'g' })
    const seen: string[] = []
    let finish: () => void = () => undefined
    await consumer.subscribe({ topics: ['t'], fromBeginning: true })
    await consumer.run({
      partitionsConsumedConcurrently: 2,
      eachMessage: async ({ message }) => {
        if (String(message.value) === 'slow') await new Promise<void>((resolve) => (finish = resolve))
        seen.push(String(message.value))
      },
    })
    for (const value of numbers(3)) await send(kafka, 't', [value], 1)
    await until(() => seen.length === 3, 'the other is read')
    expect(seen).toEqual(numbers(3))
    finish()
    await consumer.stop()
    expect(await committed(kafka, 't')).toEqual(['1', '3'])
    await consumer.disconnect()
  })
})
