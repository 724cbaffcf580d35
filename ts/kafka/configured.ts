import type { KafkaMessage } from '../native/messages.ts'
import type { ConsumerOptions } from '../native/types.ts'
import { Assigners, type BuiltInAssigner, nativeName, type PartitionAssigner } from './assigners.ts'
import type { Intercept } from './batch.ts'
import type {
  ConsumerRunConfig,
  EmitConsumerEvent,
  OffsetsByTopicPartition,
  RebalanceListener,
} from './consuming.ts'
import { fromNative, KafkaJSNonRetriableError } from './errors.ts'
import type { Logger } from './logger.ts'
import type { NodeHandle } from './node.ts'
import { type RetryOptions, retryOptions } from './retry.ts'
import type { RunnerOptions } from './runner.ts'
import type { Shared } from './shared.ts'
import type { Subscription } from './subscription.ts'
import { TIMER_MAX_MS } from './waits.ts'

/** Sees what a consumer reads and commits. What it throws is logged, and changes nothing. */
export interface ConsumerInterceptor {
  /** May replace messages or leave some out, before handlers get them; offsets must stay. */
  onConsume?(messages: KafkaMessage[], from: { topic: string; partition: number }): KafkaMessage[]
  /** These offsets were committed. */
  onCommit?(offsets: OffsetsByTopicPartition): void
}

/** How a consumer is made. Times are in milliseconds. */
export interface ConsumerConfig extends RebalanceListener {
  /** Consumers of one group share its partitions, in whichever tabs and workers they are. */
  groupId: string
  /** Names a member that comes back: after a reload it has its partitions again, without a rebalance. */
  groupInstanceId?: string
  /** The most that one fetch brings of a partition, in bytes; one batch comes however large it is. Default 1 MiB. */
  maxBytesPerPartition?: number
  /** The most that one fetch brings, in bytes. A fetch brings one partition's records. Default 10 MiB. */
  maxBytes?: number
  /**
   * A fetch waits until the partitions of this consumer have so many bytes for it, or until `maxWaitTimeInMs` is over.
   * What one partition may bring is always enough. Default 1.
   */
  minBytes?: number
  /** How long a fetch waits for `minBytes` before it comes with what there is, in milliseconds. Default 5000. */
  maxWaitTimeInMs?: number
  /** See {@link RetryOptions}. */
  retry?: RetryOptions
  /** A member that is silent for so long, and does not answer when it is asked, is put out. Default 30000. */
  sessionTimeout?: number
  /**
   * How often a member tells that it is there, in milliseconds; must be lower than `sessionTimeout`. Default: a third of
   * it. A tab that is closed or dies is noticed at once all the same: its locks tell.
   */
  heartbeatInterval?: number
  /** How long a handler may go on when its partition is to go to another member, or the consumer stops. Default 60000. */
  rebalanceTimeout?: number
  /** Give this member work only while its page is visible, as long as another member's is. Default false. */
  preferVisible?: boolean
  /** Read records of transactions that are open or were aborted too. Default false. */
  readUncommitted?: boolean
  /**
   * How the group shares its partitions, the preferred first: of those that all members have, one is used. Default:
   * `['uniform']`, which moves as few partitions as it can. See `PartitionAssigners`.
   */
  partitionAssigners?: (PartitionAssigner | BuiltInAssigner)[]
  /** See {@link ConsumerInterceptor}. */
  interceptors?: ConsumerInterceptor[]
  /** A handler that runs so long, or records that nobody reads for so long, emit STALLED; 0 never. Default 60000. */
  stallTimeout?: number
  /** How often LAG is emitted; 0 never. Default 0. */
  lagInterval?: number
  /** Accepted and ignored: a topic is created at the first subscription to it. */
  allowAutoTopicCreation?: boolean
  /** Accepted and ignored: the log tells of new topics and partitions. */
  metadataMaxAge?: number
  /** Accepted and ignored. */
  maxInFlightRequests?: number | null
  /** Accepted and ignored. */
  rackId?: string
}

/** A shorter wait for records would keep the processor busy. */
const WAIT_MIN_MS = 50

/** More heartbeats would tell nobody more. */
const HEARTBEAT_MIN_MS = 50

/** How often the event tells of heartbeats where nobody says otherwise. */
const HEARTBEAT_TOLD_MS = 3_000

/** All that a runner of this consumer works with. */
export function runnerOptions({
  config,
  run,
  shared,
  node,
  subscription,
  log,
  emit,
}: {
  config: ConsumerConfig
  run: ConsumerRunConfig
  shared: Shared
  node: NodeHandle
  subscription: Subscription
  log: Logger
  emit: EmitConsumerEvent
}): Omit<RunnerOptions, 'manual' | 'crashed'> {
  const { onPartitionsAssigned, onPartitionsRevoked, onPartitionsLost, interceptors = [] } = config
  const { groupId, rebalanceTimeout = 60_000 } = config
  const { heartbeatInterval } = liveness(config)
  // Who listens expects the event as often as KafkaJS tells it; the group needs to hear from a member less often.
  const told = config.heartbeatInterval ?? Math.min(heartbeatInterval, HEARTBEAT_TOLD_MS)
  const listener = Object.entries({ onPartitionsAssigned, onPartitionsRevoked, onPartitionsLost, ...run })
  const assigners = new Assigners(config.partitionAssigners ?? ['uniform'], groupId, log)
  return {
    node,
    groupId,
    member: memberOptions(config, shared.clientId, assigners.names.map(nativeName)),
    assigners,
    members: shared.members,
    subscription,
    config: Object.fromEntries(listener.filter(([, value]) => value !== undefined)),
    retry: retryOptions(shared.retry, config.retry),
    bytesMax: unsigned(Math.min(config.maxBytesPerPartition ?? 1 << 20, config.maxBytes ?? 10 << 20)),
    minBytes: unsigned(config.minBytes ?? 1),
    maxWaitTimeInMs: Math.min(Math.max(config.maxWaitTimeInMs ?? 5_000, WAIT_MIN_MS), TIMER_MAX_MS),
    heartbeatInterval: told,
    rebalanceTimeout,
    assignor: assigners.names[0] ?? '',
    stallTimeout: config.stallTimeout ?? 60_000,
    lagInterval: config.lagInterval ?? 0,
    intercept: intercepting(interceptors, log),
    committed: (offsets) => each(interceptors, log, (interceptor) => interceptor.onCommit?.(offsets)),
    emit,
    log,
  }
}

/** How a member is known to be alive, in milliseconds. */
export function liveness({ sessionTimeout = 30_000, heartbeatInterval }: ConsumerConfig): {
  sessionTimeout: number
  heartbeatInterval: number
} {
  return { sessionTimeout, heartbeatInterval: heartbeatInterval ?? Math.floor(sessionTimeout / 3) }
}

/** What the wasm takes for a number; there is no greater one. */
function unsigned(number: number): number {
  return Math.min(Math.max(number, 0), 2 ** 32 - 1)
}

function memberOptions(config: ConsumerConfig, clientId: string, assignors: string[]): ConsumerOptions {
  const { groupInstanceId, rebalanceTimeout = 60_000 } = config
  const { heartbeatInterval, sessionTimeout } = liveness(config)
  const address: Location | undefined = globalThis.location
  return {
    clientId,
    ...(address === undefined ? {} : { url: address.origin + address.pathname }),
    ...(groupInstanceId === undefined ? {} : { instanceId: groupInstanceId }),
    sessionTimeout,
    heartbeatInterval: Math.max(heartbeatInterval, HEARTBEAT_MIN_MS),
    rebalanceTimeout: Math.min(Math.trunc(rebalanceTimeout), TIMER_MAX_MS),
    assignors,
    preferVisible: config.preferVisible ?? false,
    readUncommitted: config.readUncommitted ?? false,
  }
}

function intercepting(interceptors: ConsumerInterceptor[], log: Logger): Intercept | undefined {
  const consuming = interceptors.filter(({ onConsume }) => onConsume !== undefined)
  if (consuming.length === 0) return undefined
  return (topic, partition, messages) => {
    let intercepted = messages
    each(consuming, log, (interceptor) => {
      intercepted = consumed(interceptor.onConsume?.(intercepted, { topic, partition })) ?? intercepted
    })
    return intercepted
  }
}

/** What an interceptor has made of messages: anything else would be handled by nobody, and committed. */
function consumed(made: unknown): KafkaMessage[] | undefined {
  if (made === undefined || made === null) return undefined
  if (Array.isArray(made) && made.every((message) => typeof message?.offset === 'string')) return made
  throw new KafkaJSNonRetriableError('onConsume has to answer messages')
}

function each(
  interceptors: ConsumerInterceptor[],
  log: Logger,
  call: (interceptor: ConsumerInterceptor) => unknown,
): void {
  for (const interceptor of interceptors) {
    const failed = (error: unknown) => log.error(`An interceptor has failed: ${fromNative(error).message}`)
    try {
      const made = call(interceptor)
      // Nobody else waits for it.
      if (made instanceof Promise) made.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
