import type { Node } from '../generated/page-bindings.js'
import { Frames } from '../native/frames.ts'
import { fromNative } from './errors.ts'
import type { Held } from './held.ts'

/** Where records of one send went: into one stored batch, one after another. */
export interface Place {
  partition: number
  baseOffset: bigint
  count: number
  logStartOffset: bigint
  /** When the log appended them, in milliseconds; -1 where they carry their producer's time. */
  logAppendTime: bigint
}

/** Writes the records of one send. */
type Write = (frames: Frames) => void

/** Who calls the node. */
interface Caller {
  callCore<T>(work: (node: Node, held?: Held) => Promise<T>): Promise<T>
}

/** The sends of one task to one topic. */
interface Parcel {
  topic: string
  acks: number
  create: boolean
  compression: number
  sends: { write: Write; resolve: (places: Place[]) => void; reject: (error: unknown) => void }[]
}

/** Numbers a place, as the wasm answers it. */
const STRIDE = 5

/** Collects the sends of one task: those to one topic cross into the wasm as one call, and share a transaction. */
export class Sender {
  private readonly frames = new Frames()
  private parcels: Parcel[] = []

  constructor(private readonly node: Caller) {}

  /** Sends what `write` writes, after the task that runs now. */
  send(topic: string, acks: number, create: boolean, write: Write, compression = 0): Promise<Place[]> {
    return new Promise((resolve, reject) => {
      this.parcel(topic, acks, create, compression).sends.push({ write, resolve, reject })
    })
  }

  private parcel(topic: string, acks: number, create: boolean, compression: number): Parcel {
    const open = this.parcels.find(
      (each) =>
        each.topic === topic &&
        each.acks === acks &&
        each.create === create &&
        each.compression === compression,
    )
    if (open !== undefined) return open
    if (this.parcels.length === 0) queueMicrotask(() => this.handOver())
    const parcel: Parcel = { topic, acks, create, compression, sends: [] }
    this.parcels.push(parcel)
    return parcel
  }

  /** Does not wait for the end of the task. */
  handOver(): void {
    const { parcels } = this
    this.parcels = []
    for (const parcel of parcels) void this.call(parcel)
  }

  /** Never rejects. */
  private async call({ topic, acks, create, compression, sends }: Parcel): Promise<void> {
    try {
      const framed: typeof sends = []
      let memory: Held | undefined
      const answers = await this.node.callCore((node, held) => {
        memory = held
        const ends = new Uint32Array(sends.length)
        for (const send of sends) {
          try {
            send.write(this.frames)
            ends[framed.length] = this.frames.length
            framed.push(send)
          } catch (error) {
            // Half a record must not become part of the next send.
            this.frames.truncate(ends[framed.length - 1] ?? 0)
            send.reject(error)
          }
        }
        const bytes = this.frames.take()
        const bounds = ends.subarray(0, framed.length)
        return node.send(topic, bytes, bounds, acks, create, compression) as Promise<unknown[]>
      })
      for (const [index, { resolve, reject }] of framed.entries()) {
        const answer = answers[index]
        if (answer instanceof BigInt64Array) {
          const found = places(answer)
          memory?.appended(topic, found)
          resolve(found)
        } else reject(fromNative(answer))
      }
    } catch (error) {
      for (const { reject } of sends) reject(error)
    }
  }
}

function places(numbers: BigInt64Array): Place[] {
  const found: Place[] = []
  for (let at = 0; at < numbers.length; at += STRIDE) {
    const [partition = 0n, baseOffset = 0n, count = 0n, logStartOffset = 0n, logAppendTime = -1n] =
      numbers.subarray(at, at + STRIDE)
    const place = { baseOffset, logStartOffset, logAppendTime }
    found.push({ partition: Number(partition), count: Number(count), ...place })
  }
  return found
}
