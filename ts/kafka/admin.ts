import { Client, type ConnectionPayloads } from './client.ts'
import { KafkaJSNotImplemented } from './errors.ts'
import type { GroupDescription, GroupOffsets, GroupOverview, Groups, SetOffset } from './groups.ts'
import { late } from './loading.ts'
import type { NodeHandle } from './node.ts'
import { NODE, type PartitionMetadata } from './partitioners.ts'
import type { AlteredConfigs, DescribedConfigs, ResourceConfig, ResourceConfigQuery } from './resources.ts'
import type { RetryOptions } from './retry.ts'
import type { Connection, Shared } from './shared.ts'
import { abortable } from './signal.ts'
import type { Topics } from './topics.ts'
import type { SeekEntry } from './trim.ts'

/** A topic to create. */
export interface TopicConfig {
  /** A name of up to 249 of the characters `a-z A-Z 0-9 . _ -`. */
  topic: string
  /** 1 to 1000; -1 leaves it to `replicaAssignment`. Default 1. */
  numPartitions?: number
  /** Accepted and ignored: there is one copy. */
  replicationFactor?: number
  /** One entry a partition, where `numPartitions` is not given; the nodes in it are ignored. */
  replicaAssignment?: { partition: number; replicas: number[] }[]
  /** Under Kafka's names; see the README's table. Default: Kafka's defaults. */
  configEntries?: { name: string; value: string }[]
}

/** A topic that is to have more partitions. */
export interface TopicPartitionConfig {
  /** The topic that is to grow. */
  topic: string
  /** How many partitions it is to have in all, up to 1000. */
  count: number
  /** The nodes of each new partition: node 0 is the only one. */
  assignments?: number[][]
}

/** One partition's offsets: `high` (and `offset`) is the next to be written, `low` the first that can be read. */
export interface TopicOffsets {
  partition: number
  offset: string
  high: string
  low: string
}

/** A topic with its partitions. */
export interface TopicMetadata {
  name: string
  partitions: PartitionMetadata[]
}

/** Names of an admin's events. Those of the network are never emitted: there is none. */
export interface AdminEvents {
  readonly CONNECT: 'admin.connect'
  readonly DISCONNECT: 'admin.disconnect'
  readonly REQUEST: 'admin.network.request'
  readonly REQUEST_TIMEOUT: 'admin.network.request_timeout'
  readonly REQUEST_QUEUE_SIZE: 'admin.network.request_queue_size'
}

const EVENTS: AdminEvents = {
  CONNECT: 'admin.connect',
  DISCONNECT: 'admin.disconnect',
  REQUEST: 'admin.network.request',
  REQUEST_TIMEOUT: 'admin.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'admin.network.request_queue_size',
}

/** What KafkaJS's admin has and this one has not, and why. */
const MEANINGLESS: Record<string, string> = {
  alterPartitionReassignments: 'there is one node, which has every partition',
  listPartitionReassignments: 'there is one node, which has every partition',
  createAcls: 'an origin has no principals',
  describeAcls: 'an origin has no principals',
  deleteAcls: 'an origin has no principals',
}

/** A node of the cluster: there is one. */
export interface Broker {
  nodeId: number
  host: string
  port: number
}

/** How an admin is made. */
export interface AdminConfig {
  /** Accepted and ignored: the log tries again by itself. */
  retry?: RetryOptions
}

/** What every call may be given. */
export interface CallOptions {
  /** Accepted and ignored: there is no network to wait for. */
  timeout?: number
  /** Stops the wait, which then rejects with the signal's reason; what was asked for may be done all the same. */
  signal?: AbortSignal
}

/** Looks after topics, configurations, groups and offsets. Its calls work without `connect()`. */
export class Admin extends Client<AdminEvents, ConnectionPayloads> {
  readonly events: AdminEvents = EVENTS
  private connection: Connection | undefined

  /** @internal */
  constructor(private readonly shared: Shared) {
    super('Admin', shared.logger, EVENTS)
    for (const [name, reason] of Object.entries(MEANINGLESS)) {
      const refuse = async () => {
        throw new KafkaJSNotImplemented(`${name} means nothing here: ${reason}`)
      }
      Object.defineProperty(this, name, { value: refuse })
    }
  }

  /** Opens the log. */
  async connect({ signal }: CallOptions = {}): Promise<void> {
    await abortable(signal, () => this.node().call(() => undefined))
    this.emitter.emit(EVENTS.CONNECT, null)
  }

  /** Lets go of the log. */
  async disconnect(): Promise<void> {
    this.connection?.release()
    this.connection = undefined
    this.emitter.emit(EVENTS.DISCONNECT, null)
  }

  /**
   * Creates topics. Resolves to false, and creates the others, where one of them exists.
   * @throws KafkaJSAggregateError of KafkaJSCreateTopicError for what the log refuses
   */
  async createTopics({
    topics,
    validateOnly = false,
    signal,
  }: CallOptions & {
    topics: TopicConfig[]
    /** Check only, and change nothing. Default false. */
    validateOnly?: boolean
    /** Accepted and ignored: a topic is there when the call resolves. */
    waitForLeaders?: boolean
  }): Promise<boolean> {
    return this.withTopics(signal, (all) => all.create(topics, validateOnly))
  }

  /** The names of all topics. */
  async listTopics({ signal }: CallOptions = {}): Promise<string[]> {
    return this.withTopics(signal, (all) => all.names())
  }

  /**
   * Deletes topics with their records.
   * @throws KafkaJSProtocolError of type `UNKNOWN_TOPIC_OR_PARTITION` for the first that does not exist
   */
  async deleteTopics({ topics, signal }: CallOptions & { topics: string[] }): Promise<void> {
    return this.withTopics(signal, (all) => all.delete(topics))
  }

  /**
   * Gives topics more partitions. Keys may go to other partitions from then on.
   * @throws KafkaJSProtocolError of type `INVALID_PARTITIONS` where a topic has as many already
   */
  async createPartitions({
    topicPartitions,
    validateOnly = false,
    signal,
  }: CallOptions & { topicPartitions: TopicPartitionConfig[]; validateOnly?: boolean }): Promise<boolean> {
    return this.withTopics(signal, (all) => all.grow(topicPartitions, validateOnly))
  }

  /** Topics with their partitions; all of them where none is named. An unknown one rejects. */
  async fetchTopicMetadata({ topics, signal }: CallOptions & { topics?: string[] } = {}): Promise<{
    topics: TopicMetadata[]
  }> {
    return { topics: await this.withTopics(signal, (all) => all.metadata(topics)) }
  }

  /** Both ends of each partition. */
  async fetchTopicOffsets(topic: string, { signal }: CallOptions = {}): Promise<TopicOffsets[]> {
    return this.withTopics(signal, (all) => all.offsets(topic))
  }

  /** The first offset at or after a time (milliseconds since 1970) in each partition, or the end. Default: the end. */
  async fetchTopicOffsetsByTimestamp(
    topic: string,
    timestamp?: number | bigint,
    { signal }: CallOptions = {},
  ): Promise<{ partition: number; offset: string }[]> {
    return this.withTopics(signal, (all) => all.offsetsAt(topic, timestamp ?? -1))
  }

  /**
   * Deletes the records before an offset in each of these partitions; '-1' deletes all that are there. Records that
   * a forwarder has not delivered stay.
   * @throws KafkaJSDeleteTopicRecordsError where a partition does not exist: nothing is deleted then
   * @throws KafkaJSNonRetriableError where an offset is beyond the end; its `cause` says which. The others are done.
   */
  async deleteTopicRecords({
    topic,
    partitions,
    signal,
  }: CallOptions & { topic: string; partitions: SeekEntry[] }): Promise<void> {
    return abortable(signal, async () => {
      const { deleteTopicRecords } = await late()
      return deleteTopicRecords(this.node(), this.log, topic, partitions)
    })
  }

  /**
   * Configurations of topics, under Kafka's names.
   * @throws KafkaJSProtocolError of type `UNKNOWN_TOPIC_OR_PARTITION`
   */
  async describeConfigs({
    resources,
    includeSynonyms = false,
    signal,
  }: CallOptions & {
    resources: ResourceConfigQuery[]
    includeSynonyms?: boolean
  }): Promise<DescribedConfigs> {
    return abortable(signal, async () => {
      const { describeConfigs } = await late()
      return describeConfigs(this.node(), resources, includeSynonyms)
    })
  }

  /**
   * Replaces configurations of topics: what is not named goes back to its default.
   * @throws KafkaJSProtocolError of type `INVALID_CONFIG` for a name or a value that is not supported
   */
  async alterConfigs({
    resources,
    validateOnly = false,
    signal,
  }: CallOptions & { resources: ResourceConfig[]; validateOnly?: boolean }): Promise<AlteredConfigs> {
    return abortable(signal, async () => {
      const { alterConfigs } = await late()
      return alterConfigs(this.node(), resources, validateOnly)
    })
  }

  /** The cluster is the log: one node, where this page is; `clusterId` is the log's name. */
  async describeCluster({ signal }: CallOptions = {}): Promise<{
    brokers: Broker[]
    controller: number
    clusterId: string
  }> {
    await abortable(signal, () => this.node().call(() => undefined))
    const { hostname = 'localhost', port = '' } = Object(globalThis.location) as Partial<Location>
    const brokers = [{ nodeId: NODE, host: hostname, port: Number(port) }]
    return { brokers, controller: NODE, clusterId: this.shared.name }
  }

  /**
   * What a group has committed in these topics, '-1' where it has nothing; without `topics`, in all where it has.
   * `resolveOffsets` makes offsets of what was reset to the end or the beginning, and stores them.
   * `__forwarder` is the group of every forwarder.
   */
  async fetchOffsets(
    query: CallOptions & { groupId: string; topics?: string[]; resolveOffsets?: boolean },
  ): Promise<GroupOffsets[]> {
    return this.withGroups(query.signal, (groups) => groups.fetchOffsets(query))
  }

  /**
   * Sets where a group goes on in a topic; the group need not exist.
   * @throws KafkaJSNonRetriableError where the group has members: stop them first
   */
  async setOffsets(
    offsets: CallOptions & { groupId: string; topic: string; partitions: SetOffset[] },
  ): Promise<void> {
    await this.withGroups(offsets.signal, (groups) => groups.setOffsets(offsets))
  }

  /**
   * Lets a group go on at the end of a topic, or at its beginning.
   * @throws KafkaJSNonRetriableError where the group has members: stop them first
   */
  async resetOffsets(
    reset: CallOptions & { groupId: string; topic: string; earliest?: boolean },
  ): Promise<void> {
    await this.withGroups(reset.signal, (groups) => groups.resetOffsets(reset))
  }

  /** All groups, also those without members. */
  async listGroups({ signal }: CallOptions = {}): Promise<{ groups: GroupOverview[] }> {
    return { groups: await this.withGroups(signal, (groups) => groups.list()) }
  }

  /** Groups with their members, in order; state `Dead` where there is none of this name. */
  async describeGroups(
    groupIds: string[],
    { signal }: CallOptions = {},
  ): Promise<{ groups: GroupDescription[] }> {
    return { groups: await this.withGroups(signal, (groups) => groups.describe(groupIds)) }
  }

  /**
   * Deletes groups that have no members, and what they have committed.
   * @throws KafkaJSDeleteGroupsError for those that have members or do not exist; the others are deleted
   */
  async deleteGroups(
    groupIds: string[],
    { signal }: CallOptions = {},
  ): Promise<{ groupId: string; errorCode: 0 }[]> {
    return this.withGroups(signal, (groups) => groups.delete(groupIds))
  }

  private withTopics<T>(signal: AbortSignal | undefined, work: (topics: Topics) => Promise<T>): Promise<T> {
    return abortable(signal, async () => {
      const loaded = await late()
      return work(new loaded.Topics(this.node()))
    })
  }

  private withGroups<T>(signal: AbortSignal | undefined, work: (groups: Groups) => Promise<T>): Promise<T> {
    return abortable(signal, async () => {
      const loaded = await late()
      return work(new loaded.Groups(this.node()))
    })
  }

  private node(): NodeHandle {
    this.connection ??= this.shared.connect()
    return this.connection.node
  }
}
