import type { Told } from '../pages/member.ts'

/** One batch in one handler of one life of a member. */
interface Handling {
  name: string
  life: string
  partition: number
  ids: number[]
  ended: boolean
  /** Who else was handling the same partition when it began. */
  beside: Handling[]
}

/** What the members of a group have handled, as they told it before they went on. */
export class Ledger {
  readonly crashes: string[] = []
  private readonly handlings: Handling[] = []
  private readonly gone = new Set<string>()
  private readonly held = new Map<string, { ended: Promise<void>; end: () => void }>()

  /** Takes what a member tells; resolves when the member may go on. */
  async tell(told: Told): Promise<void> {
    if (told.kind === 'crash') {
      this.crashes.push(`${told.name}: ${told.error}`)
      return
    }
    const { name, life, partition, ids } = told
    if (told.kind === 'ended') {
      const began = this.handlings.findLast((each) => isOf(each, told) && !each.ended)
      if (began !== undefined) began.ended = true
      return
    }
    const beside = this.handlings.filter((each) => each.partition === partition && !each.ended)
    this.handlings.push({ name, life, partition, ids, ended: false, beside })
    await this.held.get(name)?.ended
  }

  /** From now on the handlers of this member do not end, until it is let go. */
  hold(name: string): void {
    let end: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    this.held.set(name, { ended, end })
  }

  letGo(name: string): void {
    this.held.get(name)?.end()
    this.held.delete(name)
  }

  /** A life is over, without a leave: what it had in hand may come again, at another member. */
  over(life: string): void {
    this.gone.add(life)
  }

  /** Records whose handler has ended. */
  get handled(): number {
    return new Set(this.handlings.flatMap(({ ended, ids }) => (ended ? ids : []))).size
  }

  /** What this member has in hand. */
  inHand(name: string): number[] {
    return this.handlings.flatMap((each) => (each.name === name && !each.ended ? each.ids : []))
  }

  /** The records that these members have handled. */
  by(...names: string[]): number[] {
    return this.handlings.flatMap(({ name, ids }) => (names.includes(name) ? ids : []))
  }

  /** Records that were handled more than once. */
  twice(): number[] {
    const all = this.handlings.flatMap(({ ids }) => ids)
    const first = new Map(all.toReversed().map((id, index) => [id, all.length - 1 - index]))
    return all.filter((id, index) => first.get(id) !== index)
  }

  /**
   * What must not be: records that were left out, records handled again although nobody died with them in hand, a
   * partition handled by two that live, members that crashed.
   */
  complaints(count: number, partitions: number): string[] {
    const complaints = [...this.crashes]
    for (let partition = 0; partition < partitions; partition++) {
      const own = this.handlings.filter((each) => each.partition === partition)
      let next = partition
      for (const [index, handling] of own.entries()) {
        const [first = next] = handling.ids
        if (first > next) complaints.push(`${label(handling)} left out ${next} to ${first}`)
        if (first < next && !this.mayRepeat(own, index, first)) complaints.push(`${label(handling)} again`)
        next = Math.max(next, (handling.ids.at(-1) ?? first) + partitions)
      }
      if (next < count) complaints.push(`partition ${partition}: nobody handled what begins with ${next}`)
    }
    for (const handling of this.handlings.filter(({ life }) => !this.gone.has(life))) {
      const alive = handling.beside.filter(
        (other) => other.life !== handling.life && !this.gone.has(other.life),
      )
      complaints.push(...alive.map((other) => `${label(handling)} beside ${label(other)}`))
    }
    const open = this.handlings.filter(({ ended, life }) => !ended && !this.gone.has(life))
    return [...complaints, ...open.map((handling) => `${label(handling)} has not ended`)]
  }

  /**
   * True where everything from `first` on, as far as it was handled before, was the last that a life had in hand when
   * it ended; or where this is the last of a life that was suspended, and is only now told that it is over.
   */
  private mayRepeat(own: Handling[], index: number, first: number): boolean {
    const last = (handling: Handling, among: Handling[]) =>
      this.gone.has(handling.life) && among.findLast(({ life }) => life === handling.life) === handling
    const before = own.slice(0, index)
    const again = before.filter(({ ids }) => (ids.at(-1) ?? -1) >= first)
    const [handling] = own.slice(index)
    return (
      again.every((each) => last(each, before)) || (handling !== undefined && last(handling, this.handlings))
    )
  }
}

function isOf(
  handling: Handling,
  { life, partition, ids }: { life: string; partition: number; ids: number[] },
) {
  return handling.life === life && handling.partition === partition && handling.ids[0] === ids[0]
}

function label({ name, partition, ids }: Handling): string {
  return `${name} handled ${ids[0]} to ${ids.at(-1)} of partition ${partition}`
}
