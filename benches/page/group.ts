import { type Consumer, type ConsumerConfig, type Kafka as Headwater, Kafka, logLevel } from 'headwater'
import { now } from './raw.ts'

const TOPIC = 'bench'
const GROUP = 'bench'

/** What this tab has: members of the group, what they were told, and raw locks beside them. */
interface Own {
  consumer: Consumer
  partitions: number
  /** When it was last given partitions. */
  assignedAt: number
  /** When it last reached a new epoch of the group: a coordinator has told it. */
  joinedAt: number
}

const kafka: Headwater = new Kafka({ name: 'bench', logLevel: logLevel.ERROR })
const members: Own[] = []
const waiters: (() => void)[] = []
const granted = new Map<string, number>()

export async function createTopic(partitions: number): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: partitions }] })
  await admin.disconnect()
}

/** Adds a member to the group; answers how long it took from `run` until it had partitions, where it gets some. */
export async function join(
  config: Omit<ConsumerConfig, 'groupId'> & { groupId?: string } = {},
  partitions = true,
): Promise<number> {
  const consumer = kafka.consumer({ groupId: GROUP, ...config })
  const own: Own = { consumer, partitions: 0, assignedAt: 0, joinedAt: 0 }
  consumer.on(consumer.events.GROUP_JOIN, () => {
    own.joinedAt = now()
    wake()
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [TOPIC], fromBeginning: true })
  members.push(own)
  const start = now()
  const changed = () => {
    own.partitions = consumer.assignment().length
    wake()
  }
  const given = new Promise<void>((resolve) => {
    const onPartitionsAssigned = () => {
      own.assignedAt = now()
      // The assignment is the consumer's once this has returned.
      queueMicrotask(resolve)
      setTimeout(changed)
    }
    const onPartitionsRevoked = () => void setTimeout(changed)
    void consumer.run({ onPartitionsAssigned, onPartitionsRevoked, eachMessage: async () => undefined })
  })
  if (partitions) await given
  else await consumer.ready
  return own.assignedAt - start
}

/** The member that joined last leaves. */
export async function leave(): Promise<void> {
  await members.pop()?.consumer.disconnect()
}

/** How many partitions the members of this tab have. */
export function held(): number {
  return members.reduce((total, { consumer }) => total + consumer.assignment().length, 0)
}

/** Resolves when it is so many. */
export async function holds(partitions: number): Promise<void> {
  await until(() => held() === partitions)
}

/** True where the coordinator of the group is in this tab. */
export async function coordinates(): Promise<boolean> {
  const own = `bench/${crypto.randomUUID()}`
  const { held = [] } = await navigator.locks.request(own, () => navigator.locks.query())
  const realm = held.find(({ name }) => name === own)?.clientId
  return held.some(({ name, clientId }) => clientId === realm && name?.endsWith(`coordinator/${GROUP}`))
}

/** Holds a lock for as long as this tab lives. */
export async function hold(name: string): Promise<void> {
  await new Promise<void>((resolve) => {
    void navigator.locks.request(name, () => {
      resolve()
      return new Promise(() => undefined)
    })
  })
}

/** Queues for a lock that another tab holds, and notes when it is granted. */
export async function watch(name: string): Promise<void> {
  void navigator.locks.request(name, () => {
    granted.set(name, now())
    wake()
  })
  const queued = async () => (await navigator.locks.query()).pending?.some((lock) => lock.name === name)
  while (!(await queued())) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** What this tab sees of a crash of another: resolves when it has `partitions` and the raw lock, if it waits for it. */
export async function survive(
  since: number,
  lock: string | null,
  partitions: number,
): Promise<{ lock: number; joined: number; assigned: number }> {
  const [own] = members
  if (own === undefined) throw new Error('this tab has no member')
  await until(
    () =>
      (lock === null || granted.has(lock)) &&
      own.partitions === partitions &&
      own.assignedAt > since &&
      own.joinedAt > since,
  )
  return {
    lock: lock === null ? Number.POSITIVE_INFINITY : (granted.get(lock) ?? Number.NaN),
    joined: own.joinedAt,
    assigned: own.assignedAt,
  }
}

/** How far this tab's clock is before that of whoever says what time it is. */
export function clock(theirs: number): number {
  return now() - theirs
}

async function until(condition: () => boolean): Promise<void> {
  const end = now() + 30_000
  while (!condition()) {
    if (now() > end) throw new Error('waited 30 s in vain')
    await new Promise<void>((resolve) => {
      waiters.push(resolve)
      setTimeout(resolve, 1_000)
    })
  }
}

function wake(): void {
  for (const waiter of waiters.splice(0)) waiter()
}
