import { KafkaJSNonRetriableError } from './errors.ts'
import type { Logger } from './logger.ts'
import { type PartitionMetadata, partitionMetadata } from './partitioners.ts'
import { AssignerProtocol } from './protocol.ts'

/** A member, with what {@link Assigner.protocol} of its own assigner said. */
export interface AssignerMember {
  memberId: string
  memberMetadata: Uint8Array
}

/** Which partitions a member has, in the bytes of `AssignerProtocol.MemberAssignment`. */
export interface AssignerAssignment {
  memberId: string
  memberAssignment: Uint8Array
}

/** Shares partitions among members. */
export interface Assigner {
  /** What members advertise; the group uses one that all of them have. */
  name: string
  version: number
  /** A member that is left out gets nothing. Giving a partition twice is refused, and the old assignment stays. */
  assign(group: { members: AssignerMember[]; topics: string[] }): Promise<AssignerAssignment[]>
  protocol(subscription: { topics: string[] }): { name: string; metadata: Uint8Array }
}

/** What an assigner may ask for. */
export interface AssignerCluster {
  /** The partitions of a topic of the group. */
  findTopicPartitionMetadata(topic: string): PartitionMetadata[]
  /** There is one. */
  getNodeIds(): number[]
}

/** Makes an assigner for a consumer. */
export type PartitionAssigner = (config: {
  cluster: AssignerCluster
  groupId: string
  logger: Logger
}) => Assigner

/** Assigners of the log itself. */
export type BuiltInAssigner = 'uniform' | 'range' | 'roundRobin'

/** KafkaJS's assigner: the members, sorted by id, get the partitions of all topics in turn. */
const roundRobin: PartitionAssigner = ({ cluster }) => ({
  name: ROUND_ROBIN,
  version: 0,
  async assign({ members, topics }) {
    const ids = members.map(({ memberId }) => memberId).sort()
    const dealt = new Map<string, Map<string, number[]>>()
    const places = topics.flatMap((topic) =>
      cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ topic, partitionId })),
    )
    for (const [index, { topic, partitionId }] of places.entries()) {
      const id = ids[index % ids.length] ?? ''
      const own = dealt.get(id) ?? new Map<string, number[]>()
      dealt.set(id, own.set(topic, [...(own.get(topic) ?? []), partitionId]))
    }
    return [...dealt].map(([memberId, own]) => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({
        version: this.version,
        assignment: Object.fromEntries(own),
      }),
    }))
  },
  protocol({ topics }) {
    const metadata = AssignerProtocol.MemberMetadata.encode({ version: this.version, topics })
    return { name: this.name, metadata }
  },
})

const BUILT_IN: BuiltInAssigner[] = ['uniform', 'range', 'roundRobin']

/** What KafkaJS calls the assigner that the log calls `roundRobin`. */
const ROUND_ROBIN = 'RoundRobinAssigner'

/**
 * Assigners for `partitionAssigners`: `uniform` moves as few partitions as it can, and is the default; `range` gives
 * neighbours of one topic to one member; `roundRobin` is KafkaJS's.
 */
export const PartitionAssigners: {
  uniform: BuiltInAssigner
  range: BuiltInAssigner
  /** The name under which Kafka's clients know `uniform`. */
  cooperativeSticky: BuiltInAssigner
  roundRobin: PartitionAssigner
} = { uniform: 'uniform', range: 'range', cooperativeSticky: 'uniform', roundRobin }

/** The log's name of an assigner. */
export function nativeName(name: string): string {
  return name === ROUND_ROBIN ? 'roundRobin' : name
}

/** The public name of what the log calls so. */
export function publicName(name: string): string {
  return name === 'roundRobin' ? ROUND_ROBIN : name
}

/** What the log asks an assigner of JavaScript. */
export interface AssignmentSpec {
  members: { memberId: string; topics: string[]; metadata?: Uint8Array | undefined }[]
  /** Topics, with how many partitions they have. */
  topics: { topic: string; partitions: number }[]
}

/** The assigners of a consumer, made from what it was configured with. */
export class Assigners {
  /** Public names, the preferred first. */
  readonly names: string[]
  private readonly own: Assigner[] = []
  private counts = new Map<string, number>()

  constructor(wanted: (PartitionAssigner | BuiltInAssigner)[], groupId: string, logger: Logger) {
    const cluster: AssignerCluster = {
      findTopicPartitionMetadata: (topic) => partitionMetadata(this.counts.get(topic) ?? 0),
      getNodeIds: () => [0],
    }
    this.names = wanted.map((assigner) => {
      if (typeof assigner === 'string') {
        if (BUILT_IN.includes(assigner)) return publicName(assigner)
        throw new KafkaJSNonRetriableError(
          `Invalid partitionAssigners: there is no ${assigner} in ${BUILT_IN}`,
        )
      }
      const made = assigner({ cluster, groupId, logger })
      this.own.push(made)
      return made.name
    })
  }

  /** What the preferred assigner tells of a member that is subscribed to these topics. */
  metadata(topics: string[]): Uint8Array | undefined {
    const [preferred] = this.own
    return preferred?.name === this.names[0] ? preferred?.protocol({ topics }).metadata : undefined
  }

  /** Runs an assigner for the log. */
  async assign(
    name: string,
    { members, topics }: AssignmentSpec,
  ): Promise<{ memberId: string; partitions: { topic: string; partitions: number[] }[] }[]> {
    const assigner = this.own.find((each) => each.name === name)
    if (assigner === undefined) throw new Error(`this consumer has no assigner called ${name}`)
    this.counts = new Map(topics.map(({ topic, partitions }) => [topic, partitions]))
    const { MemberMetadata, MemberAssignment } = AssignerProtocol
    const { version } = assigner
    const assigned = await assigner.assign({
      members: members.map(({ memberId, topics: wanted, metadata }) => ({
        memberId,
        memberMetadata: metadata ?? MemberMetadata.encode({ version, topics: wanted }),
      })),
      topics: topics.map(({ topic }) => topic),
    })
    return assigned.map(({ memberId, memberAssignment }) => ({
      memberId,
      partitions: Object.entries(MemberAssignment.decode(memberAssignment)?.assignment ?? {}).map(
        ([topic, partitions]) => ({ topic, partitions }),
      ),
    }))
  }
}
