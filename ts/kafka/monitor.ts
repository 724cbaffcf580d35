import type { EmitConsumerEvent, TopicPartition } from './consuming.ts'
import { nothingOf } from './errors.ts'
import type { Work } from './handler.ts'
import type { NodeHandle } from './node.ts'
import type { Session } from './session.ts'
import { TIMER_MAX_MS } from './waits.ts'

/** What a monitor is told. */
export interface MonitorOptions {
  groupId: string
  node: NodeHandle
  emit: EmitConsumerEvent
  /** How long nothing may happen, in milliseconds; 0 watches for nothing. */
  stallTimeout: number
  /** How often LAG is emitted, in milliseconds; 0 never. */
  lagInterval: number
}

/** Watches over a session's progress; answers what ends that. */
export function monitor(session: Session, options: MonitorOptions): () => void {
  const { groupId, node, emit, stallTimeout, lagInterval } = options
  let progress = -1
  let running = new Map<Work, string | null>()
  const stalled = (place: TopicPartition, offset: string | null) =>
    emit('STALLED', {
      groupId,
      topic: place.topic,
      partition: place.partition,
      offset,
      duration: stallTimeout,
    })

  const checkStall = async () => {
    const before = running
    running = new Map([...session.works].map((work) => [work, work.offset]))
    for (const [work, offset] of running) {
      if (before.get(work) !== offset || work.told) continue
      work.told = true
      stalled(work.assigned, offset)
    }
    const idle = running.size === 0 && progress === session.progress
    progress = session.progress
    if (!idle) return
    for (const { topic, partition, lag } of await lags(session, node)) {
      const place = { topic, partition }
      if (lag > 0n && !session.isPaused(place)) stalled(place, String(session.position(place)))
    }
  }
  const checkLag = async () => {
    const partitions = (await lags(session, node)).map(({ lag, ...rest }) => ({ ...rest, lag: String(lag) }))
    emit('LAG', { groupId, partitions })
  }

  const timers = [every(stallTimeout, checkStall), every(lagInterval, checkLag)]
  return () => timers.forEach(clearInterval)
}

function every(milliseconds: number, check: () => Promise<void>): ReturnType<typeof setInterval> | undefined {
  // A log that does not answer is told of by whoever waits for it.
  if (milliseconds <= 0) return undefined
  return setInterval(() => check().catch(() => undefined), Math.min(milliseconds, TIMER_MAX_MS))
}

/** How many offsets the session has not handled, by partition. */
export async function lags(
  session: Session,
  node: NodeHandle,
): Promise<(TopicPartition & { lag: bigint })[]> {
  const topics = Object.keys(session.assignment.byTopic())
  const ends = new Map(
    await Promise.all(
      topics.map(async (topic) => {
        const found = await node.call((open) => open.fetchTopicOffsets(topic)).catch(nothingOf)
        return [topic, found] as const
      }),
    ),
  )
  return session.assignment.places().flatMap(({ topic, partition }) => {
    const high = (ends.get(topic) as { high: string }[] | undefined)?.[partition]?.high
    const position = session.position({ topic, partition })
    if (high === undefined || position === undefined || position < 0n) return []
    const lag = BigInt(high) - position
    return [{ topic, partition, lag: lag < 0n ? 0n : lag }]
  })
}
