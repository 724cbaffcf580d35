/** What `headwater` and `headwater/slim` export alike. */

export type {
  AdminConfig,
  AdminEvents,
  Broker,
  CallOptions,
  TopicConfig,
  TopicMetadata,
  TopicOffsets,
  TopicPartitionConfig,
} from './kafka/admin.ts'
export { Admin } from './kafka/admin.ts'
export type {
  Assigner,
  AssignerAssignment,
  AssignerCluster,
  AssignerMember,
  BuiltInAssigner,
  PartitionAssigner,
} from './kafka/assigners.ts'
export { PartitionAssigners } from './kafka/assigners.ts'
export type { Batch } from './kafka/batch.ts'
export type { ConnectionPayloads, PayloadOf } from './kafka/client.ts'
export type { CompressionCodec } from './kafka/compression.ts'
export { CompressionCodecs, CompressionTypes } from './kafka/compression.ts'
export type { ConsumerConfig, ConsumerInterceptor } from './kafka/configured.ts'
export type { ConsumerSubscribeTopics, WaitOptions } from './kafka/consumer.ts'
export { Consumer } from './kafka/consumer.ts'
export type {
  BatchProcessEvent,
  ConsumerEventPayloads,
  ConsumerEvents,
  ConsumerRunConfig,
  EachBatchHandler,
  EachBatchPayload,
  EachMessageHandler,
  EachMessagePayload,
  GivenOffset,
  OffsetsByTopicPartition,
  RebalanceListener,
  TopicPartition,
  TopicPartitionOffset,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './kafka/consuming.ts'
export type { Durability } from './kafka/durability.ts'
export type { ErrorDetails, UndeletedRecords } from './kafka/errors.ts'
export {
  KafkaJSAggregateError,
  KafkaJSBrokerNotFound,
  KafkaJSCreateTopicError,
  KafkaJSDeleteGroupsError,
  KafkaJSDeleteTopicRecordsError,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSOffsetOutOfRange,
  KafkaJSProtocolError,
  KafkaJSTimeout,
} from './kafka/errors.ts'
export type { InstrumentationEvent, RemoveListener } from './kafka/events.ts'
export type { ForwardConfig, ForwarderEvents } from './kafka/forwarder.ts'
export { Forwarder } from './kafka/forwarder.ts'
export type {
  GroupDescription,
  GroupOffsets,
  GroupOverview,
  GroupState,
  MemberDescription,
  SetOffset,
} from './kafka/groups.ts'
export type { LostRecords } from './kafka/held.ts'
export type { ProducerInterceptor } from './kafka/interceptors.ts'
export type { KafkaConfig, KafkaEvents, StorageOptions, StorageType } from './kafka/kafka.ts'
export type { LogCreator, LogEntry, Logger, LoggerEntryContent, LogLevel } from './kafka/logger.ts'
export { logLevel } from './kafka/logger.ts'
export type {
  Headers,
  Message,
  ProducerBatch,
  ProducerRecord,
  RecordMetadata,
  SendOptions,
  TopicMessages,
} from './kafka/messages.ts'
export type * from './kafka/names.ts'
export type {
  CreatePartitioner,
  Partitioner,
  PartitionerArgs,
  PartitionMetadata,
} from './kafka/partitioners.ts'
export { DefaultPartitioner, LegacyPartitioner, Partitioners } from './kafka/partitioners.ts'
export type { ProducerConfig, ProducerEvents } from './kafka/producer.ts'
export { Producer } from './kafka/producer.ts'
export type { Decoded, MemberAssignmentFields, MemberMetadataFields } from './kafka/protocol.ts'
export { AssignerProtocol } from './kafka/protocol.ts'
export type {
  AlteredConfigs,
  ConfigSynonym,
  DescribedConfig,
  DescribedConfigs,
  ResourceConfig,
  ResourceConfigQuery,
} from './kafka/resources.ts'
export { ConfigResourceTypes, ConfigSource } from './kafka/resources.ts'
export type { RetryOptions } from './kafka/retry.ts'
export type { MessageStream, StreamMessage, StreamOptions } from './kafka/stream.ts'
export type {
  ReadMessage,
  SchemaInput,
  SchemaIssue,
  SchemaOutput,
  SchemaResult,
  Serializer,
  StandardSchema,
  TopicOptions,
  TypedMessage,
  TypedPayload,
} from './kafka/topic.ts'
export { Topic } from './kafka/topic.ts'
export type { Offsets, Transaction, TransactionOffsets } from './kafka/transaction.ts'
export type { SeekEntry } from './kafka/trim.ts'
export * from './kafka/unthrown.ts'
export type { MessageBytes } from './native/bytes.ts'
export type { Bytes } from './native/frames.ts'
export type { KafkaMessage, MessageHeaders } from './native/messages.ts'
export { murmur2 } from './native/murmur2.ts'
export type { WasmSource } from './native/source.ts'
export type {
  DeliverOptions,
  Delivery,
  DeliveryAnswer,
  DeliveryError,
  ErrorKind,
  Sink,
  WireBatch,
} from './native/types.ts'
export type { CollectorSinkOptions } from './sinks/collector.ts'
export { collectorSink } from './sinks/collector.ts'
export type { DeliverRecords } from './sinks/function.ts'
export { functionSink } from './sinks/function.ts'
export type { HttpSinkOptions } from './sinks/http.ts'
export { httpSink } from './sinks/http.ts'
export type { ForwardedRecord } from './sinks/records.ts'
