import type { NodeEvent } from '../native/types.ts'
import { fromNative, type KafkaJSError } from './errors.ts'
import { moved, type RunningNode } from './running.ts'

/** What a {@link Fallback} needs of the handle that it serves. */
export interface Nodes {
  /** Opens a log in memory, which is another log than the stored one. */
  openMemory(): Promise<RunningNode | undefined>
  /** Opens the stored log; `undefined` while its storage is still away. */
  openStored(): Promise<RunningNode | undefined>
  /** Calls go to this node from now on. */
  use(node: RunningNode): void
  event(event: NodeEvent): void
}

/** How often storage that went away is looked for. */
const PROBE_MS = 60_000

/**
 * What becomes of a log whose storage goes away: it goes on in memory, as another log of its own identity, and comes
 * back when the storage does. What memory took meanwhile is then appended to the stored log, behind what is there: no
 * offset is used twice. A send whose outcome is unknown stays with the stored log, and waits for its answer.
 */
export class Fallback {
  /** The stored log, where it was ever open. */
  private stored: RunningNode | undefined
  /** The log in memory. It outlives the storage's return: its forwarders deliver what is left there. */
  private memory: RunningNode | undefined
  private away = false
  /** What memory took while the log moved back is still there. */
  private rest = false
  private records = 0
  private probing = false
  private timer: ReturnType<typeof setInterval> | undefined

  constructor(private readonly nodes: Nodes) {}

  /** True while the log is in memory. */
  get active(): boolean {
    return this.away
  }

  /** The nodes that are open beside the one that is used. */
  others(current: RunningNode | undefined): RunningNode[] {
    return [this.stored, this.memory].filter(
      (node) => node !== undefined && node !== current,
    ) as RunningNode[]
  }

  /** The storage of `stored` is gone. */
  async leave(stored: RunningNode): Promise<void> {
    if (this.away) return
    this.away = true
    this.stored = stored
    // Without it there is nothing to go on with: calls fail as the storage does, until it is back.
    this.memory ??= await this.nodes.openMemory().catch(() => undefined)
    if (this.memory === undefined) {
      this.away = false
      return
    }
    this.nodes.use(this.memory)
    stored.leave(moved('The storage failed, and the log goes on in memory'))
    this.probeFromTimeToTime()
  }

  /** The log could only be opened in memory. */
  begin(memory: RunningNode): void {
    this.away = true
    this.memory = memory
    this.probeFromTimeToTime()
  }

  /** Looks for the storage; takes over what memory has where it is back. */
  async probe(): Promise<void> {
    if (this.probing || !(this.away || this.rest)) return
    this.probing = true
    try {
      const stored = await this.found()
      if (stored === undefined || this.memory === undefined) return
      if (this.away) await this.comeBack(stored, this.memory)
      if (this.rest) await this.takeRest(stored, this.memory)
    } catch {
      // It went away again: what was not taken over is still in memory.
    } finally {
      this.probing = false
    }
  }

  /** Nothing more is looked for. */
  close(): void {
    clearInterval(this.timer)
    this.away = false
    this.rest = false
    for (const node of this.others(undefined)) node.close()
    this.stored = undefined
    this.memory = undefined
  }

  private probeFromTimeToTime(): void {
    clearInterval(this.timer)
    this.timer = setInterval(() => void this.probe(), PROBE_MS)
    // In Node.js, looking for storage keeps no process alive.
    const timer = this.timer as { unref?: () => void }
    timer.unref?.()
  }

  private async found(): Promise<RunningNode | undefined> {
    if (this.stored === undefined) {
      this.stored = await this.nodes.openStored()
      return this.stored
    }
    // Any transaction will do; that there is no such topic is an answer of the storage.
    const answered = await this.stored
      .run((node) => node.partitions('headwater.probe', false))
      .then(
        () => true,
        ({ type }: KafkaJSError) => type === 'UNKNOWN_TOPIC_OR_PARTITION',
      )
    return answered ? this.stored : undefined
  }

  private async comeBack(stored: RunningNode, memory: RunningNode): Promise<void> {
    this.records += await this.adopt(stored, memory)
    if (!this.away) return
    this.away = false
    this.rest = true
    stored.stay()
    this.nodes.use(stored)
    memory.leave(moved('The storage is back, and the log is stored again'))
  }

  /** What was sent to memory in the meantime. */
  private async takeRest(stored: RunningNode, memory: RunningNode): Promise<void> {
    const records = this.records + (await this.adopt(stored, memory))
    clearInterval(this.timer)
    this.rest = false
    this.records = 0
    memory.stay()
    this.nodes.event({ type: 'storage.recovered', records })
  }

  private async adopt(stored: RunningNode, memory: RunningNode): Promise<number> {
    await Promise.all([stored.complete(), memory.complete()])
    try {
      return (await stored.run((node) => node.adopt(memory.native))) as number
    } catch (error) {
      throw fromNative(error)
    }
  }
}
