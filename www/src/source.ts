import { type Admin, Kafka, KafkaJSProtocolError, type TopicOffsets } from 'headwater'
import { createTracker, type Message, type Tracker } from 'headwater/tracker'
import type { Config } from './config.ts'
import type { Network } from './network.ts'
import type { Entry, Position, Source, SourceListener } from './panel/readings.ts'

const TOPIC = 'events'
const FORWARDER = '__forwarder'

/** Opens this tab's node, and the tracker and the panel's source of readings on it. */
export function openLog(config: Config, network: Network): { tracker: Tracker; source: Source } {
  const kafka = new Kafka({ clientId: 'rill' })
  const { writeKey, endpoint } = config
  const tracker = createTracker({ kafka, writeKey, endpoint, topic: TOPIC, fetch: network.fetch })
  const admin = kafka.admin()
  const source: Source = {
    topic: TOPIC,
    positions: () => positions(admin),
    listen: (listener) => listen(tracker, listener),
  }
  return { tracker, source }
}

/** Reads the log. What is committed is read first: it may only grow, and never beyond an end that is read later. */
async function positions(admin: Admin): Promise<Position[]> {
  try {
    const [delivered] = await admin.fetchOffsets({ groupId: FORWARDER, topics: [TOPIC] })
    const ends = await admin.fetchTopicOffsets(TOPIC)
    const committed = new Map(delivered?.partitions.map(({ partition, offset }) => [partition, offset]))
    return ends.map((end) => position(end, committed.get(end.partition)))
  } catch (error) {
    // Before the first event there is no topic.
    if (error instanceof KafkaJSProtocolError && error.type === 'UNKNOWN_TOPIC_OR_PARTITION') return []
    throw error
  }
}

function position({ partition, low, high }: TopicOffsets, committed = '-1'): Position {
  const start = BigInt(low)
  const offset = BigInt(committed)
  return { partition, start, end: BigInt(high), committed: offset < start ? start : offset }
}

function listen(tracker: Tracker, listener: SourceListener): void {
  tracker.on('recorded', (message) => listener.recorded(entry(message)))
  tracker.on('stored', ({ messages }) =>
    listener.stored(
      messages.map(({ messageId, partition, offset }) => ({
        id: messageId,
        partition,
        offset: BigInt(offset),
      })),
    ),
  )
  tracker.on('delivered', () => listener.delivered())
  tracker.on('backoff', ({ error, attempts, retryInMs }) =>
    listener.setback({ message: error.message, attempts, retryAt: Date.now() + retryInMs }),
  )
  tracker.on('dropped', ({ count, error }) => listener.trouble(`${count} events were lost: ${error.message}`))
  tracker.on('stuck', ({ partition, message }) =>
    listener.trouble(`Partition ${partition} cannot be delivered: ${message}`),
  )
  tracker.ready().catch((error: unknown) => {
    listener.trouble(error instanceof Error ? error.message : String(error))
  })
}

/** How the panel shows a message of the tracker. */
function entry({ messageId: id, type, name, userId, event, properties }: Message): Entry {
  switch (type) {
    case 'page':
      return { id, title: 'Page', detail: name ?? '' }
    case 'identify':
      return { id, title: 'Identify', detail: userId ?? '' }
    default:
      return { id, title: event ?? type, detail: describe({ ...properties }) }
  }
}

/** The one property that tells most. */
function describe(properties: Record<string, unknown>): string {
  for (const name of ['name', 'query', 'order_id', 'number', 'list_id', 'cart_id']) {
    const value = properties[name]
    if (typeof value === 'string' || typeof value === 'number') return String(value)
  }
  return ''
}
