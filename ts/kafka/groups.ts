import type { GroupRow, MemberRow, PartitionOffset, TopicDescription } from '../native/types.ts'
import { publicName } from './assigners.ts'
import type { TopicPartition } from './consuming.ts'
import {
  fromNative,
  KafkaJSDeleteGroupsError,
  type KafkaJSError,
  KafkaJSNonRetriableError,
  nothingOf,
} from './errors.ts'
import type { NodeHandle } from './node.ts'
import { committedOf, endsOf } from './positions.ts'
import { AssignerProtocol } from './protocol.ts'
import { validateOffsets, validatePlaces, validateTopic } from './validate.ts'

/**
 * `Assigning`: partitions are being shared anew; `Reconciling`: members are giving up and taking partitions, the
 * others go on; `Dead`: there is no such group.
 */
export type GroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable' | 'Dead'

/** One member of a group. */
export interface MemberDescription {
  memberId: string
  /** `groupInstanceId`, where it has one. */
  groupInstanceId: string | null
  clientId: string
  /** The address of its page or worker, without query and fragment; empty where there is none. */
  clientHost: string
  /** Whether its page can be seen. */
  visible: boolean
  /** The epoch of the group that it has reached; as long as it is lower than the group's, it is reconciling. */
  memberEpoch: number
  /** What it has, and how many offsets of it are not committed; null where nothing was committed yet. */
  partitions: (TopicPartition & { lag: string | null })[]
  /** The partitions in the bytes of `AssignerProtocol.MemberAssignment`. */
  memberAssignment: Uint8Array
  /** Its topics in the bytes of `AssignerProtocol.MemberMetadata`. */
  memberMetadata: Uint8Array
}

/** A group. */
export interface GroupDescription {
  errorCode: 0
  groupId: string
  state: GroupState
  /** The assignor; empty where the group has no members. */
  protocol: string
  /** `'consumer'`, or empty where there is no such group. */
  protocolType: string
  members: MemberDescription[]
  /** Grows whenever partitions are shared anew. As what follows it, left out where there is no such group. */
  groupEpoch?: number
  /** The node that coordinates it. */
  coordinator?: string
  /** The sum of the lags that are known. */
  lag?: string
}

/** A group in a list. */
export interface GroupOverview {
  groupId: string
  protocolType: string
  state: GroupState
}

/** What a group has committed in the partitions of a topic. */
export interface GroupOffsets {
  topic: string
  partitions: { partition: number; offset: string; metadata: string | null }[]
}

/** What an offset is set to: the next to read; '-1' is the end and '-2' the beginning, whenever a consumer comes. */
export interface SetOffset {
  partition: number
  offset: string
  metadata?: string | null
}

/** What an admin does with groups. @internal */
export class Groups {
  constructor(private readonly node: NodeHandle) {}

  async describe(groupIds: string[]): Promise<GroupDescription[]> {
    for (const groupId of groupIds) validateGroup(groupId)
    return Promise.all(groupIds.map((groupId) => this.describeOne(groupId)))
  }

  async describeOne(groupId: string): Promise<GroupDescription> {
    return this.described(groupId, await this.row(groupId))
  }

  async list(): Promise<GroupOverview[]> {
    const rows = (await this.node.call((node) => node.listGroups())) as {
      groupId: string
      state: GroupState
    }[]
    return rows.map((row) => ({ ...row, protocolType: 'consumer' }))
  }

  async delete(groupIds: string[]): Promise<{ groupId: string; errorCode: 0 }[]> {
    for (const groupId of groupIds) validateGroup(groupId)
    const failed: { groupId: string; errorCode: number; error: KafkaJSError }[] = []
    for (const groupId of groupIds) {
      try {
        await this.node.call((node) => node.deleteGroup(groupId))
      } catch (thrown) {
        const error = fromNative(thrown)
        failed.push({ groupId, errorCode: error.code ?? -1, error })
      }
    }
    if (failed.length > 0) {
      const retriable = failed.every(({ error }) => error.retriable)
      throw new KafkaJSDeleteGroupsError('Error in DeleteGroups', failed, { retriable })
    }
    return groupIds.map((groupId) => ({ groupId, errorCode: 0 }))
  }

  async fetchOffsets({
    groupId,
    topics,
    resolveOffsets = false,
  }: {
    groupId: string
    topics?: string[]
    resolveOffsets?: boolean
  }): Promise<GroupOffsets[]> {
    validateGroup(groupId)
    if (topics !== undefined && !Array.isArray(topics)) {
      throw new KafkaJSNonRetriableError('Expected topic or topics array to be set')
    }
    for (const topic of topics ?? []) validateTopic(topic)
    const found = await Promise.all(
      (topics ?? (await this.topics())).map((topic) => this.offsets(groupId, topic)),
    )
    const committed = ({ partitions }: GroupOffsets) =>
      partitions.some(({ offset, metadata }) => offset !== '-1' || metadata !== null)
    const offsets = topics === undefined ? found.filter(committed) : found
    return resolveOffsets ? Promise.all(offsets.map((each) => this.resolve(groupId, each))) : offsets
  }

  async setOffsets({
    groupId,
    topic,
    partitions,
  }: {
    groupId: string
    topic: string
    partitions: SetOffset[]
  }): Promise<void> {
    validateGroup(groupId)
    validateTopic(topic)
    if (!Array.isArray(partitions) || partitions.length === 0) {
      throw new KafkaJSNonRetriableError('Invalid partitions')
    }
    validatePlaces(partitions.map((each) => ({ ...each, topic })))
    const offsets = partitions.map(({ partition, offset, metadata }) => ({
      topic,
      partition: Number(partition),
      offset: String(offset),
      ...(metadata ? { metadata } : {}),
    }))
    const special = ({ offset }: SetOffset) => offset === '-1' || offset === '-2'
    validateOffsets(offsets.filter((each) => !special(each)))
    try {
      await this.node.call((node) => node.setOffsets(groupId, offsets))
    } catch (thrown) {
      throw await this.running(groupId, fromNative(thrown))
    }
  }

  async resetOffsets({
    groupId,
    topic,
    earliest = false,
  }: {
    groupId: string
    topic: string
    earliest?: boolean
  }): Promise<void> {
    validateGroup(groupId)
    validateTopic(topic)
    const count = await this.node.call((node) => node.partitions(topic, false))
    const offset = earliest ? '-2' : '-1'
    const partitions = Array.from({ length: count }, (_, partition) => ({ partition, offset }))
    await this.setOffsets({ groupId, topic, partitions })
  }

  private async offsets(groupId: string, topic: string): Promise<GroupOffsets> {
    const found = (await this.node.call((node) => node.fetchOffsets(groupId, topic))) as PartitionOffset[]
    return { topic, partitions: found.map(({ metadata = null, ...rest }) => ({ ...rest, metadata })) }
  }

  /** Makes offsets of what only says `end` or `beginning`, and stores them. */
  private async resolve(groupId: string, { topic, partitions }: GroupOffsets): Promise<GroupOffsets> {
    const places = partitions.map(({ partition }) => ({ topic, partition }))
    const [lows, highs] = await Promise.all(
      (['low', 'high'] as const).map((end) => endsOf(this.node, places, end)),
    )
    const resolved = partitions.map((each, index) => {
      const ends = each.offset === '-1' ? highs : each.offset === '-2' ? lows : undefined
      return { ...each, offset: ends?.[index]?.offset ?? each.offset }
    })
    const changed = resolved.filter(({ offset }, index) => offset !== partitions[index]?.offset)
    if (changed.length > 0) await this.setOffsets({ groupId, topic, partitions: changed })
    return { topic, partitions: resolved }
  }

  /** What KafkaJS says where a group has members. */
  private async running(groupId: string, error: KafkaJSError): Promise<KafkaJSError> {
    if (error.type !== 'NON_EMPTY_GROUP') return error
    const group = await this.row(groupId)
    return new KafkaJSNonRetriableError(
      `The consumer group must have no running instances, current state: ${group?.state}`,
      { cause: error },
    )
  }

  private async row(groupId: string): Promise<GroupRow | undefined> {
    return (await this.node.call((node) => node.describeGroup(groupId))) as GroupRow | undefined
  }

  private async described(groupId: string, row: GroupRow | undefined): Promise<GroupDescription> {
    if (row === undefined) {
      return { errorCode: 0, groupId, state: 'Dead', protocol: '', protocolType: '', members: [] }
    }
    const { members, assignor, epoch, coordinator, state } = row
    const places = members.flatMap(placesOf)
    const [committed, ends] = await Promise.all([
      committedOf(this.node, groupId, places, nothingOf),
      endsOf(this.node, places, 'high', nothingOf),
    ])
    let sum = 0n
    let index = 0
    const described = members.map((member) => {
      const partitions = placesOf(member).map((place) => {
        const [at, end] = [BigInt(committed[index]?.offset ?? -1), BigInt(ends[index]?.offset ?? 0)]
        index += 1
        const lag = at < 0n ? null : end > at ? end - at : 0n
        sum += lag ?? 0n
        return { ...place, lag: lag === null ? null : String(lag) }
      })
      return describeMember(member, partitions)
    })
    return {
      errorCode: 0,
      groupId,
      state,
      protocol: publicName(assignor),
      protocolType: 'consumer',
      groupEpoch: epoch,
      coordinator,
      members: described,
      lag: String(sum),
    }
  }

  private async topics(): Promise<string[]> {
    const all = (await this.node.call((node) => node.listTopics())) as TopicDescription[]
    return all.map(({ name }) => name)
  }
}

function placesOf({ partitions }: MemberRow): TopicPartition[] {
  return partitions.flatMap(({ topic, partitions: all }) => all.map((partition) => ({ topic, partition })))
}

function describeMember(
  { memberId, instanceId = null, clientId, url, visible, epoch, topics, partitions }: MemberRow,
  lags: MemberDescription['partitions'],
): MemberDescription {
  const { MemberAssignment, MemberMetadata } = AssignerProtocol
  const assignment = Object.fromEntries(partitions.map(({ topic, partitions: all }) => [topic, all]))
  return {
    memberId,
    groupInstanceId: instanceId,
    clientId,
    clientHost: url,
    visible,
    memberEpoch: epoch,
    partitions: lags,
    memberAssignment: MemberAssignment.encode({ version: 0, assignment }),
    memberMetadata: MemberMetadata.encode({ version: 0, topics }),
  }
}

function validateGroup(groupId: unknown): void {
  if (typeof groupId !== 'string' || groupId === '') {
    throw new KafkaJSNonRetriableError(`Invalid groupId ${groupId}`)
  }
}
