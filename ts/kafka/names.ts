/** Types under the names that KafkaJS gives them. */

import type { ConsumerSubscribeTopics } from './consumer.ts'
import type { ConsumerEventPayloads } from './consuming.ts'
import type { InstrumentationEvent } from './events.ts'
import type { GroupOffsets } from './groups.ts'

/** What lists the brokers; it is never called. */
export type BrokersFunction = () => string[] | Promise<string[]>
/** Partitions by topic. */
export type Assignment = Record<string, number[]>
/** One of the partitions of a topic, and the offset to go on with. */
export interface PartitionOffset {
  partition: number
  /** A decimal string. */
  offset: string
}
/** What a group has committed in a partition. */
export type FetchOffsetsPartition = GroupOffsets['partitions'][number]
/** One entry of a configuration. */
export interface IResourceConfigEntry {
  name: string
  value: string
}
/** Where the copies of a partition are. */
export interface ReplicaAssignment {
  partition: number
  replicas: number[]
}
/** A subscription to one topic. */
export type ConsumerSubscribeTopic = Pick<ConsumerSubscribeTopics, 'fromBeginning'> & {
  topic: string | RegExp
}

/** CONNECT of any client. */
export type ConnectEvent = InstrumentationEvent<null>
/** DISCONNECT of any client. */
export type DisconnectEvent = InstrumentationEvent<null>
/** HEARTBEAT of a consumer. */
export type ConsumerHeartbeatEvent = InstrumentationEvent<ConsumerEventPayloads['HEARTBEAT']>
/** COMMIT_OFFSETS of a consumer. */
export type ConsumerCommitOffsetsEvent = InstrumentationEvent<ConsumerEventPayloads['COMMIT_OFFSETS']>
/** GROUP_JOIN of a consumer. */
export type ConsumerGroupJoinEvent = InstrumentationEvent<ConsumerEventPayloads['GROUP_JOIN']>
/** FETCH_START of a consumer. */
export type ConsumerFetchStartEvent = InstrumentationEvent<ConsumerEventPayloads['FETCH_START']>
/** FETCH of a consumer. */
export type ConsumerFetchEvent = InstrumentationEvent<ConsumerEventPayloads['FETCH']>
/** START_BATCH_PROCESS of a consumer. */
export type ConsumerStartBatchProcessEvent = InstrumentationEvent<
  ConsumerEventPayloads['START_BATCH_PROCESS']
>
/** END_BATCH_PROCESS of a consumer. */
export type ConsumerEndBatchProcessEvent = InstrumentationEvent<ConsumerEventPayloads['END_BATCH_PROCESS']>
/** CRASH of a consumer. */
export type ConsumerCrashEvent = InstrumentationEvent<ConsumerEventPayloads['CRASH']>
/** REBALANCING of a consumer. */
export type ConsumerRebalancingEvent = InstrumentationEvent<ConsumerEventPayloads['REBALANCING']>
/** RECEIVED_UNSUBSCRIBED_TOPICS of a consumer, spelled as in KafkaJS. */
export type ConsumerReceivedUnsubcribedTopicsEvent = InstrumentationEvent<
  ConsumerEventPayloads['RECEIVED_UNSUBSCRIBED_TOPICS']
>

export type {
  TopicConfig as ITopicConfig,
  TopicMetadata as ITopicMetadata,
  TopicPartitionConfig as ITopicPartitionConfig,
} from './admin.ts'
export type {
  AssignerAssignment as GroupMemberAssignment,
  AssignerCluster as Cluster,
  AssignerMember as GroupMember,
} from './assigners.ts'
export type {
  EachBatchPayload as ConsumerEachBatchPayload,
  EachMessagePayload as ConsumerEachMessagePayload,
} from './consuming.ts'
export type {
  ErrorDetails as KafkaJSErrorMetadata,
  UndeletedRecords as KafkaJSDeleteTopicRecordsErrorPartition,
} from './errors.ts'
export type { RemoveListener as RemoveInstrumentationEventListener } from './events.ts'
export type { LogCreator as logCreator } from './logger.ts'
export type { Headers as IHeaders } from './messages.ts'
export type { CreatePartitioner as ICustomPartitioner } from './partitioners.ts'
export type {
  ConfigSynonym as ConfigSynonyms,
  DescribedConfig as ConfigEntries,
  DescribedConfigs as DescribeConfigResponse,
  ResourceConfig as IResourceConfig,
} from './resources.ts'
export type { Assignment as IMemberAssignment }
