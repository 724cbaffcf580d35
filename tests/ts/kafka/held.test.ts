import { describe, expect, test } from 'vitest'
import { Held } from '../../../ts/kafka/held.ts'

function place(partition: number, count: number, logStartOffset = 0n) {
  return { partition, count, logStartOffset }
}

describe('what is counted of a log in memory', () => {
  test('is what was appended, topic by topic', () => {
    const held = new Held()
    held.appended('a', [place(0, 2), place(1, 3)])
    held.appended('b', [place(0, 1)])
    held.appended('a', [place(0, 4)])
    expect(held.take()).toEqual([
      { topic: 'a', records: '9' },
      { topic: 'b', records: '1' },
    ])
    expect(held.take()).toEqual([])
  })

  test.each([
    { type: 'log.trimmed', logStartOffset: '3' },
    { type: 'log.dropped', logStartOffset: '3', records: '3' },
    { type: 'forwarder.delivered', committed: '3' },
  ])('$type takes from it what is below its offset', (event) => {
    const held = new Held()
    held.appended('a', [place(0, 5), place(1, 5)])
    held.heard({ topic: 'a', partition: 1, ...event })
    held.heard({ topic: 'unknown', partition: 1, ...event })
    expect(held.take()).toEqual([{ topic: 'a', records: '7' }])
  })

  test('is nothing of what arrived elsewhere before its append was answered here', () => {
    const held = new Held()
    held.heard({ type: 'forwarder.delivered', topic: 'a', partition: 0, committed: '2' })
    held.appended('a', [place(0, 2)])
    expect(held.take()).toEqual([])
    held.heard({ type: 'forwarder.delivered', topic: 'a', partition: 0, committed: '1' })
    held.appended('a', [place(0, 2)])
    expect(held.take()).toEqual([{ topic: 'a', records: '1' }])
  })

  test('is less by what an append found deleted, and never more again', () => {
    const held = new Held()
    held.appended('a', [place(0, 5)])
    held.appended('a', [place(0, 1, 4n)])
    held.appended('a', [place(0, 1, 0n)])
    expect(held.take()).toEqual([{ topic: 'a', records: '3' }])
  })

  test('is nothing for a topic that was deleted, and begins anew with its successor', () => {
    const held = new Held()
    held.appended('a', [place(0, 5)])
    held.deleted('a')
    held.appended('a', [place(0, 1)])
    expect(held.take()).toEqual([{ topic: 'a', records: '1' }])
  })

  test('is nothing once it is stored, but for topics that are delivered from memory', () => {
    const held = new Held()
    held.appended('a', [place(0, 5)])
    held.appended('b', [place(0, 2)])
    held.stored(new Set(['b']))
    expect(held.take()).toEqual([{ topic: 'b', records: '2' }])
  })
})
