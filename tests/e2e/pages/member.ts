import {
  type Consumer,
  type ConsumerConfig,
  type ConsumerEventPayloads,
  type EachBatchPayload,
  type EachMessagePayload,
  Kafka,
  type KafkaMessage,
  logLevel,
} from 'headwater'
import { sendNumbers } from './numbers.ts'

/** How a member of a group is made. */
export interface Joining {
  /** Its client id: what the tests call it. */
  name: string
  groupId: string
  topic: string
  config?: Omit<ConsumerConfig, 'groupId'>
  /** Handle message by message, not a batch at a time. */
  single?: boolean
  /** Commits after so many messages, in the middle of a batch too. */
  threshold?: number
  /** How many partitions to handle at a time. */
  concurrency?: number
}

/** What the members tell the test's ledger. */
export type Told = { name: string; life: string } & (
  | { kind: 'began' | 'ended'; partition: number; ids: number[] }
  | { kind: 'crash'; error: string }
)

/** A step of the group, as the application hears of it. */
export interface Step {
  kind: 'assigned' | 'revoked' | 'lost'
  partitions: number[]
}

/** A group as `admin.describeGroups` shows it. */
export interface Described {
  state: string
  epoch: number
  members: { id: string; name: string; epoch: number; visible: boolean; partitions: number[] }[]
}

const kafka = new Kafka({ clientId: 'e2e', logLevel: logLevel.NOTHING })

/** One member. What it does is told before it goes on, so that a kill at any moment leaves a true account. */
class Member {
  readonly steps: Step[] = []
  life: string = crypto.randomUUID()
  private readonly consumer: Consumer

  constructor(private readonly joining: Joining) {
    const { name, groupId, config } = joining
    const own = new Kafka({ clientId: name, logLevel: logLevel.NOTHING })
    this.consumer = own.consumer({ groupId, ...config })
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => {
      void this.tell({ kind: 'crash', error: String((payload as ConsumerEventPayloads['CRASH']).error) })
    })
  }

  async join(): Promise<string> {
    const { consumer, joining } = this
    await consumer.connect()
    await consumer.subscribe({ topics: [joining.topic], fromBeginning: true })
    const hear = (kind: Step['kind']) => (places: { partition: number }[]) => {
      this.steps.push({ kind, partitions: places.map(({ partition }) => partition) })
    }
    await consumer.run({
      partitionsConsumedConcurrently: joining.concurrency ?? 1,
      autoCommitThreshold: joining.threshold ?? null,
      onPartitionsAssigned: hear('assigned'),
      onPartitionsRevoked: hear('revoked'),
      onPartitionsLost: hear('lost'),
      ...(joining.single
        ? {
            eachMessage: ({ partition, message }: EachMessagePayload) => this.handle(partition, [message]),
          }
        : { eachBatch: ({ batch }: EachBatchPayload) => this.handle(batch.partition, batch.messages) }),
    })
    return this.life
  }

  assignment(): number[] {
    return this.consumer.assignment().map(({ partition }) => partition)
  }

  async leave(): Promise<void> {
    await this.consumer.disconnect()
  }

  private async handle(partition: number, messages: readonly KafkaMessage[]): Promise<void> {
    const ids = messages.map(({ value }) => Number(new TextDecoder().decode(value ?? new Uint8Array())))
    await this.tell({ kind: 'began', partition, ids })
    await this.tell({ kind: 'ended', partition, ids })
  }

  private async tell(
    told: { kind: 'began' | 'ended'; partition: number; ids: number[] } | { kind: 'crash'; error: string },
  ) {
    const whole: Told = { name: this.joining.name, life: this.life, ...told }
    // Answered when the test has it; the test holds the answer back to keep a handler busy. In a page that is going
    // the request fails, and the handler never ends.
    const response = await fetch('/ledger', { method: 'POST', body: JSON.stringify(whole) }).catch(
      () => new Promise<never>(() => undefined),
    )
    if (!response.ok) throw new Error(`the ledger answered ${response.status}`)
  }
}

const members = new Map<string, Member>()

function member(name: string): Member {
  const found = members.get(name)
  if (found === undefined) throw new Error(`no member is called ${name} here`)
  return found
}

const admin = kafka.admin()
const still: { timer: ReturnType<typeof setInterval> | undefined; since: number; longest: number } = {
  timer: undefined,
  since: 0,
  longest: 0,
}

/** What the tests drive in a page, and in a worker. Arguments and results can be cloned. */
export const driver = {
  async createTopic(topic: string, numPartitions: number): Promise<void> {
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions }] })
  },

  send(topic: string, partitions: number, from: number, to: number): Promise<void> {
    return sendNumbers(kafka, topic, partitions, from, to)
  },

  /** Sends one record after the other to a partition, three at a time; answers their offsets. */
  async sendOneByOne(topic: string, partition: number, count: number): Promise<number[]> {
    const producer = kafka.producer()
    await producer.connect()
    const offsets: number[] = []
    const send = async () => {
      const [at] = await producer.send({ topic, messages: [{ value: 'x', partition }] })
      offsets.push(Number(at?.baseOffset))
    }
    for (let left = count; left > 0; left -= 3) await Promise.all([send(), send(), send()])
    await producer.disconnect()
    return offsets
  },

  async join(joining: Joining): Promise<string> {
    const joined = new Member(joining)
    members.set(joining.name, joined)
    return joined.join()
  },

  async leave(name: string): Promise<void> {
    await member(name).leave()
    members.delete(name)
  },

  /** The member goes on under another name for the ledger, after it was as good as dead. */
  async renew(name: string): Promise<string> {
    const renewed = member(name)
    renewed.life = crypto.randomUUID()
    return renewed.life
  },

  async assignment(name: string): Promise<number[]> {
    return member(name).assignment()
  },

  async steps(name: string): Promise<Step[]> {
    return member(name).steps
  },

  async describe(groupId: string): Promise<Described> {
    await admin.connect()
    const [group] = (await admin.describeGroups([groupId])).groups
    if (group === undefined) throw new Error(`${groupId} was not described`)
    const described = group.members.map(({ memberId, clientId, memberEpoch, visible, partitions }) => ({
      id: memberId,
      name: clientId,
      epoch: memberEpoch,
      visible,
      partitions: partitions.map(({ partition }) => partition),
    }))
    return { state: group.state, epoch: group.groupEpoch ?? -1, members: described }
  },

  /** How many records of each partition the group has not committed. */
  async lags(groupId: string, topic: string): Promise<number[]> {
    await admin.connect()
    const [ends, [committed]] = await Promise.all([
      admin.fetchTopicOffsets(topic),
      admin.fetchOffsets({ groupId, topics: [topic] }),
    ])
    return ends.map(({ partition, high }) => {
      const { offset = '-1' } = committed?.partitions.find((each) => each.partition === partition) ?? {}
      return Number(high) - Math.max(0, Number(offset))
    })
  },

  /** How long this realm's timers have stood still at most, since this was first asked. */
  async stillness(): Promise<number> {
    const tick = () => {
      const now = performance.now()
      still.longest = Math.max(still.longest, now - still.since)
      still.since = now
    }
    if (still.timer === undefined) {
      still.since = performance.now()
      still.timer = setInterval(tick, 200)
    }
    return Math.max(still.longest, performance.now() - still.since)
  },

  /** Keeps a transaction over everything open, from one request to the next, for as long as this realm runs. */
  async occupy(): Promise<void> {
    for (const { name } of await indexedDB.databases()) {
      const opening = indexedDB.open(name ?? '')
      await new Promise((resolve) => opening.addEventListener('success', resolve))
      const stores = [...opening.result.objectStoreNames]
      const [first = ''] = stores
      const store = opening.result.transaction(stores, 'readwrite').objectStore(first)
      const again = () => store.count().addEventListener('success', again)
      await new Promise((resolve) => store.count().addEventListener('success', resolve))
      again()
    }
  },

  /** True where this realm holds the lock of the group's coordinator. */
  async coordinates(groupId: string): Promise<boolean> {
    const name = `e2e/${crypto.randomUUID()}`
    const { held = [] } = await navigator.locks.request(name, () => navigator.locks.query())
    const realm = held.find((lock) => lock.name === name)?.clientId
    return held.some((lock) => lock.clientId === realm && lock.name?.endsWith(`coordinator/${groupId}`))
  },
}

export type Driver = typeof driver

/** A call of the page to the driver of its worker. */
export interface Call {
  id: number
  method: keyof Driver
  args: unknown[]
}

/** Runs one method of the driver by name. */
export function drive(method: keyof Driver, args: unknown[]): Promise<unknown> {
  return (driver[method] as (...args: unknown[]) => Promise<unknown>)(...args)
}
