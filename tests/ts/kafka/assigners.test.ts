import { describe, expect, test } from 'vitest'
import { AssignerProtocol, logLevel, PartitionAssigners } from '../../../ts/index.ts'
import { Assigners } from '../../../ts/kafka/assigners.ts'
import { createLogger } from '../../../ts/kafka/logger.ts'
import { partitionMetadata } from '../../../ts/kafka/partitioners.ts'

const { MemberAssignment, MemberMetadata } = AssignerProtocol
const logger = createLogger(logLevel.NOTHING, () => () => undefined)
const bytes = (text: string) => new TextEncoder().encode(text)

describe('the bytes between members and assigners', () => {
  test('of a member are Kafka’s', () => {
    const encoded = MemberMetadata.encode({ version: 1, topics: ['ab'], userData: 'me' })
    expect([...encoded]).toEqual([0, 1, 0, 0, 0, 1, 0, 2, ...bytes('ab'), 0, 0, 0, 2, ...bytes('me')])
    const decoded = MemberMetadata.decode(encoded)
    expect([decoded.version, decoded.topics, String(decoded.userData)]).toEqual([1, ['ab'], 'me'])
  })

  test('of an assignment are Kafka’s', () => {
    const encoded = MemberAssignment.encode({ version: 2, assignment: { ab: [3, 258] } })
    const topic = [0, 0, 0, 1, 0, 2, ...bytes('ab'), 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 1, 2]
    expect([...encoded]).toEqual([0, 2, ...topic, 0, 0, 0, 0])
    expect(MemberAssignment.decode(encoded)).toMatchObject({ version: 2, assignment: { ab: [3, 258] } })
    expect(MemberAssignment.decode(new Uint8Array())).toBeNull()
  })

  test('no topics are no topics', () => {
    const none = MemberAssignment.encode({ version: 1, assignment: {} })
    expect(MemberAssignment.decode(none)?.assignment).toEqual({})
    const array = MemberAssignment.encode({ version: 1, assignment: [] as never })
    expect(MemberAssignment.decode(array)?.assignment).toEqual({})
  })
})

describe('roundRobin', () => {
  const counts: Record<string, number> = { a: 5, shift: 2 }
  const cluster = {
    findTopicPartitionMetadata: (topic: string) => partitionMetadata(counts[topic] ?? 0),
    getNodeIds: () => [0],
  }
  const assigner = PartitionAssigners.roundRobin({ cluster, groupId: 'g', logger })

  test('deals the partitions of all topics to the members in order of their ids', async () => {
    const members = ['m2', 'm1', 'm3'].map((memberId) => ({ memberId, memberMetadata: new Uint8Array() }))
    const assigned = await assigner.assign({ members, topics: ['a', 'shift'] })
    const found = assigned.map(({ memberId, memberAssignment }) => [
      memberId,
      MemberAssignment.decode(memberAssignment)?.assignment,
    ])
    expect(found).toEqual([
      ['m1', { a: [0, 3], shift: [1] }],
      ['m2', { a: [1, 4] }],
      ['m3', { a: [2], shift: [0] }],
    ])
  })

  test('says what a member wants', () => {
    const { name, metadata } = assigner.protocol({ topics: ['a'] })
    expect(name).toBe('RoundRobinAssigner')
    expect(MemberMetadata.decode(metadata)).toMatchObject({ version: 0, topics: ['a'] })
  })
})

describe('the assigners of a consumer', () => {
  test('are named in order, those of the log by their own names', () => {
    const { uniform, range, cooperativeSticky, roundRobin } = PartitionAssigners
    const assigners = new Assigners([range, roundRobin, uniform, cooperativeSticky], 'g', logger)
    expect(assigners.names).toEqual(['range', 'RoundRobinAssigner', 'uniform', 'uniform'])
    expect(assigners.metadata(['t'])).toBeUndefined()
  })

  test('run with what their members said, over the partitions that there are', async () => {
    let seen: unknown
    const assigners = new Assigners(
      [
        ({ cluster }) => ({
          name: 'mine',
          version: 3,
          protocol({ topics }) {
            return { name: this.name, metadata: MemberMetadata.encode({ version: 3, topics, userData: 'x' }) }
          },
          async assign({ members, topics }) {
            const said = members.map(({ memberMetadata }) =>
              String(MemberMetadata.decode(memberMetadata).userData),
            )
            seen = [
              topics,
              said,
              cluster.findTopicPartitionMetadata('t').map(({ partitionId }) => partitionId),
            ]
            const memberAssignment = MemberAssignment.encode({ version: 3, assignment: { t: [1, 0] } })
            return [{ memberId: 'b', memberAssignment }]
          },
        }),
      ],
      'g',
      logger,
    )
    const metadata = assigners.metadata(['t'])
    const members = [
      { memberId: 'a', topics: ['t'] },
      { memberId: 'b', topics: ['t'], metadata },
    ]
    const assigned = await assigners.assign('mine', { members, topics: [{ topic: 't', partitions: 2 }] })
    expect(assigned).toEqual([{ memberId: 'b', partitions: [{ topic: 't', partitions: [1, 0] }] }])
    expect(seen).toEqual([['t'], ['', 'x'], [0, 1]])
    await expect(assigners.assign('other', { members, topics: [] })).rejects.toThrow(
      'no assigner called other',
    )
  })
})
