import type { ConsumerRunConfig } from '../../../ts/index.ts'
import { logLevel } from '../../../ts/index.ts'
import { createLogger } from '../../../ts/kafka/logger.ts'
import { Pauses } from '../../../ts/kafka/pauses.ts'
import { retryOptions } from '../../../ts/kafka/retry.ts'
import type { Member } from '../../../ts/kafka/running.ts'
import { Session, type SessionOptions } from '../../../ts/kafka/session.ts'
import type { Fetched, NativeConsumer, Rebalance } from '../../../ts/native/types.ts'

/** A consumer of the wasm that does what a test says, and writes down what it is told. */
export class FakeNative implements NativeConsumer {
  /** What was called, in order. */
  readonly calls: string[] = []
  private readonly steps: Rebalance[] = []
  private step: ((step: Rebalance | undefined) => void) | undefined
  private readonly ready: Fetched[] = []
  private fetching: ((fetched: Fetched | undefined) => void) | undefined
  /** What a commit throws. */
  refusal: Error | undefined
  /** What the next fetches throw. */
  readonly unreadable: Error[] = []
  private acknowledge: () => void = () => undefined

  /** Hands out a step; resolves when it is done. */
  async ask(
    kind: Rebalance['kind'],
    partitions: number[],
    assignment: number[],
    error?: Error,
  ): Promise<void> {
    const member = { memberId: 'm', memberEpoch: 1, leaderId: 'n', isLeader: false }
    const places = (all: number[]) => (all.length === 0 ? [] : [{ topic: 't', partitions: all }])
    const step = { kind, partitions: places(partitions), assignment: places(assignment), ...member }
    const done = new Promise<void>((resolve) => {
      this.acknowledge = resolve
    })
    this.steps.push(error === undefined ? step : { ...step, error })
    this.flush()
    await done
  }

  /** Records of a partition, from an offset on. */
  bring(partition: number, from: number, count: number): void {
    const index = new Float64Array(count * 8)
    for (let record = 0; record < count; record++) index.set([record, 0, 0, -1, 0, -1, 0, 0], record * 8)
    const end = BigInt(from + count)
    const bytes = new Uint8Array()
    const fetched = {
      topic: 't',
      partition,
      highWatermark: end,
      baseOffset: BigInt(from),
      bytes,
      index,
      count,
    }
    this.ready.push({ ...fetched, nextOffset: end })
    this.flush()
  }

  private flush(): void {
    if (this.step !== undefined && this.steps.length > 0) {
      const { step } = this
      this.step = undefined
      step(this.steps.shift())
    }
    if (this.fetching !== undefined && this.ready.length > 0) this.answer(this.ready.shift())
  }

  private answer(fetched: Fetched | undefined): void {
    const { fetching } = this
    this.fetching = undefined
    fetching?.(fetched)
  }

  subscribe(): void {}
  updateSubscription(): void {}
  async assign(): Promise<void> {}
  async join(): Promise<void> {}
  free(): void {}

  rebalance(): Promise<Rebalance | undefined> {
    return new Promise((resolve) => {
      this.step = resolve
      this.flush()
    })
  }

  rebalanced(): void {
    this.calls.push('rebalanced')
    this.acknowledge()
  }

  async leave(): Promise<void> {
    this.step?.(undefined)
  }

  fetch(): Promise<Fetched | undefined> {
    const failure = this.unreadable.shift()
    if (failure !== undefined) return Promise.reject(failure)
    return new Promise((resolve) => {
      this.fetching = resolve
      this.flush()
    })
  }

  wake(): void {
    this.answer(undefined)
  }

  seek(_topic: string, partition: number, offset: bigint): void {
    this.calls.push(`seek ${partition} ${offset}`)
  }

  pause(_topic: string, partition: number): void {
    this.calls.push(`pause ${partition}`)
  }

  resume(): void {}

  position(): bigint {
    return 0n
  }

  async commit(offsets: { partition: number; offset: string }[]): Promise<void> {
    if (this.refusal !== undefined) throw this.refusal
    for (const { partition, offset } of offsets) this.calls.push(`commit ${partition} ${offset}`)
  }
}

/** A session over a consumer of a test. */
export function session(
  config: ConsumerRunConfig,
  options: Partial<SessionOptions> = {},
): { native: FakeNative; session: Session; events: string[] } {
  const native = new FakeNative()
  const events: string[] = []
  const member = {
    run: async <T>(work: (consumer: NativeConsumer) => T) => work(native),
    tell: (work: (consumer: NativeConsumer) => void) => work(native),
    ask: <T>(work: (consumer: NativeConsumer) => T) => work(native),
  }
  const made = new Session(
    {
      groupId: 'g',
      config,
      retry: retryOptions({ initialRetryTime: 1 }),
      bytesMax: 1,
      minBytes: 1,
      maxWaitTimeInMs: 60_000,
      heartbeatInterval: 60_000,
      rebalanceTimeout: 60_000,
      assignor: 'uniform',
      intercept: undefined,
      committed: () => undefined,
      emit: (name) => events.push(name),
      log: createLogger(logLevel.NOTHING, () => () => undefined),
      pauses: new Pauses(),
      seeks: new Map(),
      topics: () => ['t'],
      manual: undefined,
      ...options,
    },
    member as unknown as Member,
  )
  return { native, session: made, events }
}
