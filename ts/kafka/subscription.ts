/** What a consumer is subscribed to: names, and patterns for the names of topics. */
export class Subscription {
  private readonly names = new Map<string, boolean>()
  private readonly patterns: { pattern: RegExp; fromBeginning: boolean }[] = []

  add(topics: (string | RegExp)[], fromBeginning: boolean): void {
    for (const topic of topics) {
      if (typeof topic === 'string') this.names.set(topic, fromBeginning)
      else this.patterns.push({ pattern: topic, fromBeginning })
    }
  }

  clear(): void {
    this.names.clear()
    this.patterns.length = 0
  }

  get isEmpty(): boolean {
    return this.names.size + this.patterns.length === 0
  }

  /** True where the topics that exist matter. */
  get hasPatterns(): boolean {
    return this.patterns.length > 0
  }

  /** True where a topic of this name is wanted because of a pattern only. */
  awaits(topic: string): boolean {
    return !this.names.has(topic) && this.patterns.some(({ pattern }) => topic.search(pattern) >= 0)
  }

  /**
   * The topics, with whether each is read from its beginning; what a name says goes before what a pattern says.
   * A topic that came `since` is read as a whole: when the subscription was made its end was its beginning.
   */
  resolve(existing: string[], since: ReadonlySet<string>): { topic: string; fromBeginning: boolean }[] {
    const found = new Map<string, boolean>()
    for (const { pattern, fromBeginning } of this.patterns) {
      for (const name of existing) {
        // `search` minds neither where the last match ended nor the flags that make it matter.
        if (name.search(pattern) >= 0) found.set(name, fromBeginning || since.has(name))
      }
    }
    for (const [name, fromBeginning] of this.names) found.set(name, fromBeginning)
    return [...found].map(([topic, fromBeginning]) => ({ topic, fromBeginning }))
  }
}
