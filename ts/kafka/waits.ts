/** The longest that a timer takes: 24 days. A longer one would be over at once. */
export const TIMER_MAX_MS: number = 2 ** 31 - 1

/** Waits that somebody else can end. */
export class Waits {
  private readonly waiting = new Set<() => void>()
  private ended = false

  /** True after the end. */
  get over(): boolean {
    return this.ended
  }

  /** Waits so long, or until the end. */
  sleep(milliseconds?: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.ended) return resolve()
      const timer =
        milliseconds === undefined
          ? undefined
          : setTimeout(() => wake(), Math.min(milliseconds, TIMER_MAX_MS))
      const wake = () => {
        clearTimeout(timer)
        this.waiting.delete(wake)
        resolve()
      }
      this.waiting.add(wake)
    })
  }

  /** Ends every wait, and those to come. */
  end(): void {
    this.ended = true
    for (const wake of [...this.waiting]) wake()
  }
}

/** Runs one after the other; the first at once. */
export class Turns {
  private last: Promise<unknown> | undefined

  run(task: () => Promise<void>): Promise<void> {
    const turn = this.last === undefined ? task() : this.last.then(task)
    const over: Promise<void> = turn
      .catch(() => undefined)
      .then(() => {
        if (this.last === over) this.last = undefined
      })
    this.last = over
    return turn
  }
}
