import { describe, expect, test } from 'vitest'
import {
  AssignerProtocol,
  type Consumer,
  type ConsumerConfig,
  type EachMessagePayload,
  type Kafka,
  type PartitionAssigner,
  PartitionAssigners,
  type TopicPartition,
} from '../../../ts/index.ts'
import { memory, numbers, send, textOf, until } from '../support/kafka.ts'
import { committed } from '../support/reading.ts'

const partitions = (consumer: Consumer) => consumer.assignment().map(({ partition }) => partition)

async function log(count: number): Promise<Kafka> {
  const kafka = memory()
  await kafka.admin().createTopics({ topics: [{ topic: 't', numPartitions: count }] })
  return kafka
}

/** A member of group 'g' that reads 't'. */
async function member(
  kafka: Kafka,
  config: Partial<ConsumerConfig> = {},
  eachMessage: (payload: EachMessagePayload) => Promise<void> = async () => undefined,
): Promise<Consumer> {
  const consumer = kafka.consumer({ groupId: 'g', ...config })
  await consumer.subscribe({ topics: ['t'], fromBeginning: true })
  await consumer.run({ eachMessage })
  return consumer
}

async function all(consumers: Consumer[], count: number): Promise<void> {
  await until(() => consumers.flatMap(partitions).length === count, `${count} partitions are assigned`)
}

describe('members of a group', () => {
  test('share its partitions, and each partition has one owner', async () => {
    const kafka = await log(6)
    const consumers = [await member(kafka), await member(kafka), await member(kafka)]
    await until(() => consumers.every((each) => partitions(each).length === 2), 'each has its share')
    expect(consumers.flatMap(partitions).toSorted()).toEqual([0, 1, 2, 3, 4, 5])
    await consumers[1]?.disconnect()
    await until(() => consumers.flatMap(partitions).length === 6, 'the others take over')
    expect(consumers.flatMap(partitions).toSorted()).toEqual([0, 1, 2, 3, 4, 5])
    await Promise.all(consumers.map((each) => each.disconnect()))
  })

  test('handle every record once while members come and go', async () => {
    const kafka = await log(4)
    const seen: string[] = []
    const eachMessage = async (payload: EachMessagePayload) => {
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(`${payload.partition}/${textOf(payload)}`)
    }
    const expected: string[] = []
    const more = async (from: number) => {
      for (let partition = 0; partition < 4; partition++) {
        await send(kafka, 't', numbers(50, from), partition)
        expected.push(...numbers(50, from).map((value) => `${partition}/${value}`))
      }
    }
    await more(0)
    const first = await member(kafka, {}, eachMessage)
    const second = await member(kafka, {}, eachMessage)
    await more(50)
    const third = await member(kafka, {}, eachMessage)
    await first.disconnect()
    await more(100)
    await second.disconnect()
    await until(() => new Set(seen).size === 600, 'all are handled')
    expect(seen.toSorted()).toEqual(expected.toSorted())
    await third.disconnect()
    expect(await committed(kafka, 't')).toEqual(['150', '150', '150', '150'])
  })

  test('that are too many have nothing, and stay', async () => {
    const kafka = await log(1)
    const consumers = [await member(kafka), await member(kafka)]
    await all(consumers, 1)
    const [busy, idle] = consumers.toSorted((one, other) => partitions(other).length - partitions(one).length)
    expect(idle?.assignment()).toEqual([])
    await busy?.disconnect()
    await until(() => idle?.assignment().length === 1, 'the idle one takes over')
    await idle?.disconnect()
  })

  test('hear REBALANCING when another joins, and GROUP_JOIN with what they have then', async () => {
    const kafka = await log(2)
    const first = kafka.consumer({ groupId: 'g' })
    const events: [string, unknown][] = []
    const { REBALANCING, GROUP_JOIN } = first.events
    for (const name of [REBALANCING, GROUP_JOIN])
      first.on(name, ({ type, payload }) => events.push([type, payload]))
    await first.subscribe({ topics: ['t'] })
    await first.run({ eachMessage: async () => undefined })
    const joined = events.find(([type]) => type === GROUP_JOIN)?.[1] as {
      memberId: string
      memberAssignment: object
    }
    expect(joined.memberAssignment).toEqual({ t: [0, 1] })
    events.length = 0
    const second = await member(kafka)
    await until(() => partitions(first).length === 1 && partitions(second).length === 1, 'they share')
    await until(() => events.some(([type]) => type === GROUP_JOIN), 'the first has joined anew')
    expect(events[0]).toEqual([REBALANCING, { groupId: 'g', memberId: joined.memberId }])
    expect(events.at(-1)?.[1]).toMatchObject({ memberId: joined.memberId, groupProtocol: 'uniform' })
    await Promise.all([first.disconnect(), second.disconnect()])
  })

  test('are told of partitions that come and go, in order', async () => {
    const kafka = await log(2)
    const told: string[] = []
    const tell = (what: string) => async (places: TopicPartition[]) => {
      await Promise.resolve()
      told.push(`${what} ${places.map(({ partition }) => partition).join()}`)
    }
    const listener = { onPartitionsAssigned: tell('assigned'), onPartitionsRevoked: tell('revoked') }
    const first = await member(kafka, listener)
    expect(told).toEqual(['assigned 0,1'])
    const second = await member(kafka)
    await all([second], 1)
    const [gone] = partitions(second)
    expect(told).toEqual(['assigned 0,1', `revoked ${gone}`])
    await second.disconnect()
    await all([first], 2)
    expect(told).toEqual(['assigned 0,1', `revoked ${gone}`, `assigned ${gone}`])
    await first.disconnect()
    expect(told.at(-1)).toBe(
      `revoked ${partitions(first).length === 0 ? [1 - (gone ?? 0), gone].join() : ''}`,
    )
  })

  test('get new partitions of a topic, and new topics of a pattern from their first record', async () => {
    const kafka = await log(1)
    const consumer = kafka.consumer({ groupId: 'g' })
    const seen: string[] = []
    await consumer.subscribe({ topics: [/^t/] })
    await consumer.run({
      eachMessage: async ({ topic, partition }) => void seen.push(`${topic}/${partition}`),
    })
    await kafka.admin().createPartitions({ topicPartitions: [{ topic: 't', count: 2 }] })
    await all([consumer], 2)
    await send(kafka, 't', ['x'], 1)
    await send(kafka, 'two', ['x'])
    await send(kafka, 'other', ['x'])
    await until(() => seen.length === 2, 'both are read')
    expect(seen.toSorted()).toEqual(['t/1', 'two/0'])
    await consumer.disconnect()
  })

  test('change what they read while they run', async () => {
    const kafka = await log(1)
    const seen: string[] = []
    const consumer = await member(kafka, {}, async ({ topic }) => void seen.push(topic))
    await send(kafka, 't', ['a'])
    await until(() => seen.length === 1, 'the first topic is read')
    await send(kafka, 'u', ['b'])
    await consumer.updateSubscription({ topics: ['u'], fromBeginning: true })
    await until(() => seen.length === 2, 'the second topic is read')
    expect(consumer.assignment()).toEqual([{ topic: 'u', partition: 0 }])
    expect(await committed(kafka, 't')).toEqual(['1'])
    await consumer.unsubscribe()
    await until(() => consumer.assignment().length === 0, 'nothing is read')
    await consumer.disconnect()
    expect(seen).toEqual(['t', 'u'])
  })

  test('with a name come back to what they had, without the others', async () => {
    const kafka = await log(2)
    const other = await member(kafka)
    const named = await member(kafka, { groupInstanceId: 'tab' })
    await until(() => partitions(named).length === 1 && partitions(other).length === 1, 'they share')
    const had = partitions(named)
    const joins: unknown[] = []
    other.on(other.events.GROUP_JOIN, ({ payload }) => joins.push(payload))
    await named.disconnect()
    const again = await member(kafka, { groupInstanceId: 'tab' })
    await until(() => partitions(again).length === 1, 'it is back')
    expect(partitions(again)).toEqual(had)
    expect(joins).toEqual([])
    await Promise.all([again.disconnect(), other.disconnect()])
  })

  test('never fail in a heartbeat because the group is rebalancing', async () => {
    const kafka = await log(4)
    const failures: unknown[] = []
    const eachMessage = async ({ heartbeat }: EachMessagePayload) => {
      await heartbeat().catch((error: unknown) => failures.push(error))
    }
    const first = await member(kafka, { heartbeatInterval: 1 }, eachMessage)
    const crashes: unknown[] = []
    first.on(first.events.CRASH, ({ payload }) => crashes.push(payload))
    for (let round = 0; round < 5; round++) {
      const passing = await member(kafka, { heartbeatInterval: 1 }, eachMessage)
      for (let partition = 0; partition < 4; partition++) await send(kafka, 't', numbers(5), partition)
      await passing.disconnect()
    }
    await all([first], 4)
    expect([failures, crashes]).toEqual([[], []])
    await first.disconnect()
  })
})

describe('assigners', () => {
  test('roundRobin deals partitions to members in order of their ids', async () => {
    const kafka = await log(4)
    const config = { partitionAssigners: [PartitionAssigners.roundRobin] }
    const consumers = [await member(kafka, config), await member(kafka, config)]
    await until(() => consumers.every((each) => partitions(each).length === 2), 'they share')
    expect(consumers.map((each) => partitions(each).join()).toSorted()).toEqual(['0,2', '1,3'])
    const group = await consumers[0]?.describeGroup()
    expect(group?.protocol).toBe('RoundRobinAssigner')
    await Promise.all(consumers.map((each) => each.disconnect()))
  })

  const { MemberAssignment, MemberMetadata } = AssignerProtocol
  /** Gives partitions to those whose user data says so. */
  const byName =
    (name: string, wrong = false): PartitionAssigner =>
    ({ cluster }) => ({
      name: 'ByName',
      version: 1,
      protocol({ topics }) {
        return { name: this.name, metadata: MemberMetadata.encode({ version: 1, topics, userData: name }) }
      },
      async assign({ members }) {
        const count = cluster.findTopicPartitionMetadata('t').length
        return members.map(({ memberId, memberMetadata }) => {
          const favoured = String(MemberMetadata.decode(memberMetadata).userData) === 'favoured'
          const all = Array.from({ length: count }, (_, partition) => partition)
          const assignment = favoured || wrong ? { t: all } : {}
          return { memberId, memberAssignment: MemberAssignment.encode({ version: 1, assignment }) }
        })
      },
    })

  test('of the application decide, by what members say of themselves', async () => {
    const kafka = await log(3)
    const plain = await member(kafka, { partitionAssigners: [byName('plain')] })
    const favoured = await member(kafka, { partitionAssigners: [byName('favoured')] })
    await all([favoured], 3)
    expect(plain.assignment()).toEqual([])
    await Promise.all([plain.disconnect(), favoured.disconnect()])
  })

  test('of the application that give a partition twice are refused, and the old assignment stands', async () => {
    const kafka = await log(2)
    const first = await member(kafka, { partitionAssigners: [byName('favoured', true)] })
    expect(partitions(first)).toEqual([0, 1])
    const second = kafka.consumer({
      groupId: 'g',
      partitionAssigners: [byName('second', true)],
      retry: { retries: 0, restartOnFailure: async () => false },
    })
    const crash = new Promise<Error>((resolve) =>
      second.on<{ error: Error }>(second.events.CRASH, ({ payload }) => resolve(payload.error)),
    )
    await second.subscribe({ topics: ['t'] })
    const run = second.run({ eachMessage: async () => undefined })
    await Promise.race([run, crash])
    expect(partitions(first)).toEqual([0, 1])
    expect(second.assignment()).toEqual([])
    await Promise.all([first.disconnect(), second.disconnect()])
  })
})

describe('groups seen by an admin', () => {
  test('are described with their members, states and lag', async () => {
    const kafka = await log(2)
    await send(kafka, 't', numbers(5), 0)
    const consumer = await member(kafka)
    await until(() => consumer.position({ topic: 't', partition: 0 }) === '5', 'it has read all')
    await consumer.commitOffsets()
    await consumer.commitOffsets([{ topic: 't', partition: 0, offset: '3' }])
    const { groups } = await kafka.admin().describeGroups(['g', 'nobody'])
    const memberId = groups[0]?.members[0]?.memberId
    expect(groups[0]).toMatchObject({
      errorCode: 0,
      groupId: 'g',
      state: 'Stable',
      protocol: 'uniform',
      protocolType: 'consumer',
      groupEpoch: 1,
      coordinator: expect.stringMatching(/^\d+$/),
      lag: '2',
      members: [
        {
          memberId,
          groupInstanceId: null,
          clientId: 'headwater',
          clientHost: '',
          visible: true,
          memberEpoch: 1,
          partitions: [
            { topic: 't', partition: 0, lag: '2' },
            { topic: 't', partition: 1, lag: null },
          ],
        },
      ],
    })
    const { memberAssignment = new Uint8Array(), memberMetadata = new Uint8Array() } =
      groups[0]?.members[0] ?? {}
    expect(AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment).toEqual({ t: [0, 1] })
    expect(AssignerProtocol.MemberMetadata.decode(memberMetadata).topics).toEqual(['t'])
    const none = { protocol: '', protocolType: '', state: 'Dead' }
    expect(groups[1]).toEqual({ errorCode: 0, groupId: 'nobody', members: [], ...none })
    await consumer.disconnect()
  })

  test('are listed, and deleted once they have no members', async () => {
    const kafka = await log(1)
    const admin = kafka.admin()
    const consumer = await member(kafka)
    expect((await admin.listGroups()).groups).toEqual([
      { groupId: 'g', protocolType: 'consumer', state: 'Stable' },
    ])
    await expect(admin.deleteGroups(['g', 'nobody'])).rejects.toMatchObject({
      name: 'KafkaJSDeleteGroupsError',
      groups: [
        { groupId: 'g', error: { name: 'KafkaJSProtocolError', type: 'NON_EMPTY_GROUP' } },
        { groupId: 'nobody', error: { name: 'KafkaJSProtocolError', type: 'GROUP_ID_NOT_FOUND' } },
      ],
    })
    await consumer.stop()
    expect((await admin.listGroups()).groups).toEqual([
      { groupId: 'g', protocolType: 'consumer', state: 'Empty' },
    ])
    expect(await admin.deleteGroups(['g'])).toEqual([{ groupId: 'g', errorCode: 0 }])
    expect((await admin.listGroups()).groups).toEqual([])
    expect(await admin.deleteGroups([])).toEqual([])
    await consumer.disconnect()
  })

  test('go on where they are set', async () => {
    const kafka = await log(1)
    await send(kafka, 't', numbers(5))
    const admin = kafka.admin()
    const partition = 0
    await admin.setOffsets({
      groupId: 'g',
      topic: 't',
      partitions: [{ partition, offset: '3', metadata: 'why' }],
    })
    const found = await admin.fetchOffsets({ groupId: 'g', topics: ['t'] })
    expect(found).toEqual([{ topic: 't', partitions: [{ partition, offset: '3', metadata: 'why' }] }])
    const seen: string[] = []
    const consumer = await member(kafka, {}, async ({ message }) => void seen.push(message.offset))
    await until(() => seen.length === 2, 'it has read on')
    expect(seen).toEqual(['3', '4'])
    for (const change of [
      admin.setOffsets({ groupId: 'g', topic: 't', partitions: [{ partition, offset: '0' }] }),
      admin.resetOffsets({ groupId: 'g', topic: 't' }),
    ]) {
      await expect(change).rejects.toThrow(
        'The consumer group must have no running instances, current state: Stable',
      )
    }
    await consumer.disconnect()
  })

  test.each([
    [true, '-2', '0', numbers(5)],
    [false, '-1', '5', []],
  ])('go on at an end (earliest: %s)', async (earliest, stored, resolved, values) => {
    const kafka = await log(1)
    await send(kafka, 't', numbers(5))
    const admin = kafka.admin()
    const read = async (resolveOffsets?: boolean) => {
      const query = { groupId: 'g', topics: ['t'] }
      const [found] = await admin.fetchOffsets(resolveOffsets ? { ...query, resolveOffsets } : query)
      return found?.partitions[0]?.offset
    }
    await admin.setOffsets({ groupId: 'g', topic: 't', partitions: [{ partition: 0, offset: '2' }] })
    await admin.resetOffsets({ groupId: 'g', topic: 't', earliest })
    expect(await read()).toBe(stored)
    const seen: string[] = []
    const consumer = await member(kafka, {}, async (payload) => void seen.push(textOf(payload)))
    await send(kafka, 't', ['new'])
    await until(() => seen.at(-1) === 'new', 'it reads')
    expect(seen).toEqual([...values, 'new'])
    await consumer.disconnect()
    await admin.resetOffsets({ groupId: 'h', topic: 't', earliest })
    const [other] = await admin.fetchOffsets({ groupId: 'h', topics: ['t'], resolveOffsets: true })
    expect(other?.partitions[0]?.offset).toBe(earliest ? resolved : '6')
    const [again] = await admin.fetchOffsets({ groupId: 'h', topics: ['t'] })
    expect(again).toEqual(other)
  })

  test('are checked by their names', async () => {
    const admin = memory().admin()
    const none = { groupId: null as never }
    await expect(admin.fetchOffsets(none)).rejects.toThrow('Invalid groupId null')
    await expect(admin.setOffsets({ ...none, topic: 't', partitions: [] })).rejects.toThrow(
      'Invalid groupId null',
    )
    await expect(admin.resetOffsets({ ...none, topic: 't' })).rejects.toThrow('Invalid groupId null')
    const g = { groupId: 'g' }
    await expect(admin.fetchOffsets({ ...g, topics: 't' as never })).rejects.toThrow(
      'Expected topic or topics array to be set',
    )
    await expect(admin.setOffsets({ ...g, topic: null as never, partitions: [] })).rejects.toThrow(
      'Invalid topic null',
    )
    await expect(admin.setOffsets({ ...g, topic: 't', partitions: [] })).rejects.toThrow('Invalid partitions')
    await expect(
      admin.setOffsets({ ...g, topic: 't', partitions: [{ partition: 0, offset: '-3' }] }),
    ).rejects.toThrow('Offset must not be a negative number')
    await expect(admin.resetOffsets({ ...g, topic: '' })).rejects.toThrow('Invalid topic')
  })
})

describe('what waits for the log', () => {
  test('is not waited for once its signal is aborted', async () => {
    const kafka = await log(1)
    const admin = kafka.admin()
    const consumer = await member(kafka)
    const signal = AbortSignal.abort(new Error('enough'))
    const g = { groupId: 'g', topic: 't', signal }
    for (const call of [
      admin.listGroups({ signal }),
      admin.describeGroups(['g'], { signal }),
      admin.deleteGroups(['g'], { signal }),
      admin.fetchOffsets({ groupId: 'g', signal }),
      admin.setOffsets({ ...g, partitions: [{ partition: 0, offset: '0' }] }),
      admin.resetOffsets(g),
      consumer.connect({ signal }),
      consumer.commitOffsets([], { signal }),
      consumer.committed([], { signal }),
      consumer.beginningOffsets([], { signal }),
      consumer.endOffsets([], { signal }),
      consumer.offsetsForTimes([], { signal }),
      consumer.currentLag({ signal }),
      consumer.describeGroup({ signal }),
    ]) {
      await expect(call).rejects.toThrow('enough')
    }
    await consumer.disconnect()
  })
})
