import type { ConsumerOptions, TopicDescription } from '../native/types.ts'
import type { Assigners } from './assigners.ts'
import { keyOf, type TopicPartition } from './consuming.ts'
import {
  fromNative,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
} from './errors.ts'
import { late } from './loading.ts'
import { monitor } from './monitor.ts'
import type { NodeHandle } from './node.ts'
import { Pauses } from './pauses.ts'
import { retryTime } from './retry.ts'
import type { Member } from './running.ts'
import type { ManualAssignment, Session, SessionOptions } from './session.ts'
import type { GroupMember } from './shared.ts'
import type { Subscription } from './subscription.ts'
import { Waits } from './waits.ts'

/** A stop that takes so long tells what it waits for. */
const HINT_MS = 5_000
const DEADLOCK =
  'where it awaits stop() or disconnect(), each waits for the other, so call them without awaiting them in a handler'

/** What a runner works with. */
export interface RunnerOptions extends Omit<SessionOptions, 'pauses' | 'seeks' | 'topics'> {
  readonly node: NodeHandle
  readonly member: ConsumerOptions
  readonly assigners: Assigners
  readonly members: Set<GroupMember>
  readonly subscription: Subscription
  readonly stallTimeout: number
  readonly lagInterval: number
  /** The runner has given up. */
  readonly crashed: () => void
}

/** One `run` of a consumer: joins, fetches, handles, commits, until it is stopped or crashes for good. */
export class Runner {
  readonly pauses: Pauses = new Pauses()
  session: Session | undefined
  manual: ManualAssignment[] | undefined
  private member: Member | undefined
  private joined = false
  private stopping = false
  /** What {@link start} answered. */
  ready: Promise<void> = Promise.resolve()
  /** Resolves when it has ended for good: with why, if not because of {@link stop}. */
  over: Promise<KafkaJSError | undefined> = Promise.resolve(undefined)
  private progressed = false
  private readonly waits = new Waits()
  /** Seeks of partitions that are not assigned yet. */
  private readonly seeks = new Map<string, TopicPartition & { offset: bigint }>()
  /** Topics that were created since the first join. */
  private readonly since = new Set<string>()
  private topics: { topic: string; fromBeginning: boolean }[] = []

  constructor(private readonly options: RunnerOptions) {
    this.manual = options.manual
  }

  /** Resolves when the group was joined for the first time, and rejects when that will not be. */
  start(): Promise<void> {
    const { node, config } = this.options
    const unlisten = node.onEvent((event) => this.hear(event))
    const abort = () => void this.stop()
    config.signal?.addEventListener('abort', abort)
    if (config.signal?.aborted) this.stopping = true
    return new Promise((resolve, reject) => {
      this.over = this.live(resolve).finally(() => {
        unlisten()
        config.signal?.removeEventListener('abort', abort)
      })
      this.over.then((error) => reject(error ?? stopped()), reject)
    })
  }

  /** Waits for handlers and their commit, until `signal` is aborted, and no longer than a group does. */
  async stop(signal?: AbortSignal): Promise<void> {
    this.stopping = true
    this.waits.end()
    // A wait for the group ends at once; a handler that runs is waited for.
    if (!this.joined) this.member?.run((native) => native.leave()).catch(() => undefined)
    this.session?.end()
    const over = new Waits()
    await Promise.race([this.over.finally(() => over.end()), aborted(signal), this.patience(over)])
    if (over.over) return
    over.end()
    // What still runs counts no more, and the group need not wait for it.
    for (const work of this.session?.works ?? []) work.discard()
    await this.member?.run((native) => native.leave()).catch(() => undefined)
  }

  /** Resolves when the handlers that run have had their time. One that awaits the stop would otherwise never end. */
  private async patience(over: Waits): Promise<void> {
    const { rebalanceTimeout, log, groupId } = this.options
    const works = () => [...(this.session?.works ?? [])]
    const tell = (outcome: string) => {
      if (over.over) return
      for (const { assigned, offset } of works()) {
        const { topic, partition } = assigned
        log.warn(`${outcome}: ${DEADLOCK}`, { groupId, topic, partition, offset })
      }
    }
    const hint = Math.min(HINT_MS, rebalanceTimeout)
    await over.sleep(hint)
    tell('The consumer is to stop, and waits for a handler')
    await over.sleep(rebalanceTimeout - hint)
    // What else keeps it from stopping gets no better by giving up.
    while (!over.over && works().length === 0) await over.sleep(rebalanceTimeout)
    tell('The consumer stops without a handler, whose message will come again')
    if (!over.over) await this.session?.autoCommit()
  }

  /** True in the first `onPartitionsAssigned`, and from then on while it is a member. */
  get began(): boolean {
    return this.joined || (this.session?.memberId ?? '') !== ''
  }

  /** The session that is under way. */
  current(): Session {
    if (this.session !== undefined && this.began) return this.session
    throw new KafkaJSError('The consumer has not joined its group yet: await consumer.ready', {
      retriable: true,
    })
  }

  seek(place: TopicPartition, offset: bigint): void {
    if (!this.session?.seek(place, offset)) this.seeks.set(keyOf(place), { ...place, offset })
  }

  /** Reads other partitions from now on. */
  async assign(manual: ManualAssignment[]): Promise<void> {
    this.manual = manual
    await this.session?.assign(manual)
  }

  /** The subscription is another. */
  async resubscribe(): Promise<void> {
    this.topics = await this.resolve()
    this.member?.tell((native) => native.updateSubscription(this.topics))
  }

  private hear(event: { type: string; [field: string]: unknown }): void {
    const { session } = this
    const { groupId, subscription, log } = this.options
    const ours = session !== undefined && event['memberId'] === session.memberId
    switch (event.type) {
      case 'group.heartbeat':
        if (ours) session.heartbeat()
        break
      case 'group.rebalancing':
        if (ours) session.tellRebalancing()
        break
      case 'topic.changed': {
        const topic = String(event['topic'])
        if (!subscription.awaits(topic) || this.topics.some((known) => known.topic === topic)) return
        this.since.add(topic)
        this.resubscribe().catch((error: unknown) =>
          log.warn(`The new topic ${topic} is not read yet: ${fromNative(error).message}`, { groupId }),
        )
        break
      }
      case 'page.closing':
        // What is handed out from now on would be handled again by whoever comes next.
        for (const work of session?.works ?? []) work.halt()
        session?.autoCommit()
        break
      case 'page.hidden':
      case 'page.suspend':
        session?.autoCommit()
    }
  }

  /** Resolves with why it has ended. */
  private async live(joined: () => void): Promise<KafkaJSError | undefined> {
    for (;;) {
      const error = await this.sessions(joined)
      if (error === undefined || !(await this.crash(error))) return error
    }
  }

  /** Works until it is stopped, or until an error that trying again does not cure. */
  private async sessions(joined: () => void): Promise<KafkaJSError | undefined> {
    const { retry, log, groupId } = this.options
    for (let failures = 0; !this.stopping; ) {
      try {
        await this.work(joined)
      } catch (thrown) {
        const error = fromNative(thrown)
        if (this.progressed) failures = 0
        if (this.stopping) log.debug(`Stopped although: ${error.message}`, { groupId })
        else if (failures === retry.retries || !this.isPassing(error)) return error
        else {
          failures += 1
          const wait = retryTime(retry, failures)
          log.warn(`The consumer joins its group again: ${error.message}`, {
            groupId,
            retryCount: failures,
            wait,
          })
          await this.waits.sleep(wait)
        }
      }
    }
    return undefined
  }

  /** One session, from the join to the leave. */
  private async work(joined: () => void): Promise<void> {
    const { options } = this
    const { node, groupId, members, assigners } = options
    this.topics = await this.resolve()
    const metadata = assigners.metadata(this.topics.map(({ topic }) => topic))
    const described = metadata === undefined ? options.member : { ...options.member, metadata }
    // Before the node has a member that somebody would have to free.
    const { Session } = await late()
    const member = await node.member(groupId, described)
    this.member = member
    const session = new Session(
      {
        ...options,
        manual: this.manual,
        pauses: this.pauses,
        seeks: this.seeks,
        topics: () => this.topics.map(({ topic }) => topic),
      },
      member,
    )
    const owner: GroupMember = {
      groupId,
      sent: (topic, partition, offset) =>
        session.assignment.commit({ topics: [{ topic, partitions: [{ partition, offset }] }] }),
    }
    let unwatch: () => void = () => undefined
    try {
      if (this.stopping) return
      this.session = session
      members.add(owner)
      node.assigners.push([groupId, assigners])
      unwatch = monitor(session, options)
      member.tell((native) => {
        for (const { topic, fromBeginning } of this.topics) native.subscribe(topic, fromBeginning)
      })
      await session.run(() => {
        this.joined = true
        joined()
      })
    } finally {
      unwatch()
      members.delete(owner)
      node.assigners = node.assigners.filter(([, own]) => own !== assigners)
      this.progressed = session.progress > 0
      this.session = undefined
      this.member = undefined
      this.joined = false
      await member.run((native) => native.leave()).catch(() => undefined)
      member.free()
    }
  }

  /** True for errors that joining again may cure: a storage that fails at times, a group or a topic that was lost. */
  private isPassing({ retriable, kind, type }: KafkaJSError): boolean {
    const gone = type === 'UNKNOWN_TOPIC_OR_PARTITION' && this.manual === undefined
    return retriable || kind === 'Closed' || kind === 'Fenced' || gone
  }

  private async resolve(): Promise<{ topic: string; fromBeginning: boolean }[]> {
    const { node, subscription } = this.options
    if (!subscription.hasPatterns) return subscription.resolve([], this.since)
    const all = (await node.call((open) => open.listTopics())) as TopicDescription[]
    return subscription.resolve(
      all.map(({ name }) => name),
      this.since,
    )
  }

  /** Says so; true where the consumer is to begin again. */
  private async crash(error: KafkaJSError): Promise<boolean> {
    const { retry, emit, log, groupId } = this.options
    const exceeded = error instanceof KafkaJSNumberOfRetriesExceeded ? error : undefined
    log.error(`Crash: ${error.name}: ${error.message}`, {
      groupId,
      retryCount: exceeded?.retryCount,
      stack: error.stack,
    })
    emit('STOP', null)
    emit('DISCONNECT', null)
    const restart = (exceeded !== undefined || isRetriable(error)) && (await this.mayRestart(error))
    emit('CRASH', { error, groupId, restart })
    if (restart && !this.stopping) {
      const wait = exceeded?.retryTime ?? retry.initialRetryTime
      log.error(`Restarting the consumer in ${wait}ms`, { groupId, retryTime: wait })
      await this.waits.sleep(wait)
      if (!this.stopping) return true
    }
    this.options.crashed()
    return false
  }

  private async mayRestart(error: KafkaJSError): Promise<boolean> {
    try {
      return await this.options.retry.restartOnFailure(error)
    } catch (thrown) {
      const { message } = fromNative(thrown)
      this.options.log.error(`restartOnFailure failed, so the consumer restarts: ${message}`)
      return true
    }
  }
}

/** Resolves when the signal is aborted; without one, never. */
export function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve()
    else signal?.addEventListener('abort', () => resolve(), { once: true })
  })
}

function stopped(): KafkaJSError {
  return new KafkaJSNonRetriableError('The consumer was stopped before it had joined its group')
}

/** As KafkaJS has it: what was at the bottom of an error decides. */
function isRetriable(error: unknown): boolean {
  const { cause, retriable } = error as Partial<KafkaJSError>
  return cause === undefined || cause === null ? retriable === true : isRetriable(cause)
}
