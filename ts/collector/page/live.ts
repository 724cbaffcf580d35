/** A topic as the collector describes it. */
interface TopicState {
  topic: string
  partitions: { partition: number; logStartOffset: string; highWatermark: string }[]
}

/** A record as the collector reads it back. */
interface RecordState {
  offset: string
  timestamp: number
  key: string | null
  value: string | null
  valueEncoding?: string
  headers: { key: string; value: string | null }[]
  identity: { producerId: string; epoch: number; sequence: number; hwId: string | null }
}

/** A record and where it stands. */
interface Arrival {
  topic: string
  partition: number
  record: RecordState
}

/**
 * The script of the page. Its source text is what the page runs, so it refers to nothing outside of itself. What
 * records say becomes text, never markup.
 */
export class LivePage {
  readonly #page: Document
  readonly #next = new Map<string, bigint>()
  readonly #seen = new Map<string, bigint>()
  readonly #clock: Intl.DateTimeFormatOptions = {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23',
  }
  #looked = false
  #paused = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(page: Document) {
    this.#page = page
    const pause = this.#element('pause')
    pause.addEventListener('click', () => {
      this.#paused = !this.#paused
      pause.setAttribute('aria-pressed', String(this.#paused))
      pause.textContent = this.#paused ? 'Go on' : 'Pause'
      this.#wake()
    })
    page.addEventListener('visibilitychange', () => this.#wake())
    this.#element('snippet').textContent = [
      "import { createTracker } from 'headwater/tracker'",
      '',
      'const tracker = createTracker({',
      "  writeKey: '…',",
      `  endpoint: '${page.location.origin}/v1/batches',`,
      '})',
      "tracker.track('Product Added', { sku: 'A-113' })",
    ].join('\n')
    this.#wake()
  }

  #element(id: string): HTMLElement {
    const found = this.#page.getElementById(id)
    if (found === null) throw new Error(`the page has no ${id}`)
    return found
  }

  /** An element with this text. */
  #make(tag: string, text = '', className = ''): HTMLElement {
    const element = this.#page.createElement(tag)
    element.textContent = text
    if (className !== '') element.className = className
    return element
  }

  #say(state: string, text: string): void {
    const element = this.#element('state')
    element.className = state
    element.textContent = text
  }

  #wake(): void {
    clearTimeout(this.#timer)
    if (this.#page.hidden) return
    if (this.#paused) this.#say('', 'paused')
    else void this.#look()
  }

  async #look(): Promise<void> {
    try {
      const { topics } = await this.#get<{ topics: TopicState[] }>('/v1/topics')
      this.#showTopics(topics)
      this.#showRecords(await this.#arrivals(topics))
      this.#looked = true
      this.#say('live', 'live')
    } catch (error) {
      this.#say(
        'away',
        error instanceof TypeError ? 'the collector does not answer' : (error as Error).message,
      )
    }
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#wake(), 1_000)
  }

  async #get<T>(path: string): Promise<T> {
    const key = new URLSearchParams(this.#page.location.search).get('key')
    const headers = key === null ? {} : { authorization: `Bearer ${key}` }
    const response = await fetch(path, { headers, cache: 'no-store' })
    const answer = (await response.json()) as T & { error?: { message: string } }
    if (!response.ok) throw new Error(answer.error?.message ?? `status ${response.status}`)
    return answer
  }

  /** What came since the last look; at first, and after a flood, the last of it. */
  async #arrivals(topics: TopicState[]): Promise<Arrival[]> {
    const shown = 50
    const arrivals: Arrival[] = []
    for (const { topic, partitions } of topics) {
      for (const { partition, logStartOffset, highWatermark } of partitions) {
        const place = `${topic}/${partition}`
        const end = BigInt(highWatermark)
        let offset = this.#next.get(place) ?? BigInt(logStartOffset)
        if (end - offset > shown) offset = end - BigInt(shown)
        while (offset < end) {
          const path = `/v1/topics/${encodeURIComponent(topic)}/records?partition=${partition}&offset=${offset}&limit=${shown}`
          const page = await this.#get<{ records: RecordState[]; nextOffset: string }>(path)
          arrivals.push(...page.records.map((record) => ({ topic, partition, record })))
          if (BigInt(page.nextOffset) <= offset) break
          offset = BigInt(page.nextOffset)
        }
        this.#next.set(place, offset)
      }
    }
    return arrivals.sort((left, right) => left.record.timestamp - right.record.timestamp)
  }

  #showTopics(topics: TopicState[]): void {
    this.#element('topics').replaceChildren(...topics.map((topic) => this.#topicCard(topic)))
    const empty = topics.every(({ partitions }) =>
      partitions.every(({ highWatermark }) => highWatermark === '0'),
    )
    this.#element('empty').hidden = !empty
    this.#element('table').hidden = empty
  }

  #topicCard({ topic, partitions }: TopicState): HTMLElement {
    const card = this.#make('article')
    if (topic.endsWith('.dlq')) card.className = 'letters'
    const counts = partitions.map(
      ({ logStartOffset, highWatermark }) => BigInt(highWatermark) - BigInt(logStartOffset),
    )
    const total = counts.reduce((sum, count) => sum + count, 0n)
    const most = Math.max(1, ...counts.map(Number))
    const fresh = total - (this.#seen.get(topic) ?? total)
    this.#seen.set(topic, total)
    const title = this.#make('h2', topic)
    title.append(this.#make('b', total.toLocaleString()))
    const count = partitions.length === 1 ? 'one partition' : `${partitions.length} partitions`
    card.append(title, this.#make('p', fresh > 0n ? `${count}, +${fresh.toLocaleString()}` : count))
    for (const [index, { partition }] of partitions.entries()) {
      const line = this.#make('div', '', 'partition')
      const bar = this.#page.createElement('progress')
      bar.max = most
      bar.value = Number(counts[index])
      line.append(
        this.#make('span', String(partition)),
        bar,
        this.#make('span', (counts[index] ?? 0n).toLocaleString()),
      )
      card.append(line)
    }
    return card
  }

  #showRecords(arrivals: Arrival[]): void {
    const rows = this.#element('rows')
    for (const arrival of arrivals) rows.prepend(...this.#rowsOf(arrival))
    const kept = 400
    while (rows.children.length > kept) rows.lastElementChild?.remove()
  }

  /** A line that opens and closes, and what it opens. */
  #rowsOf({ topic, partition, record }: Arrival): HTMLElement[] {
    const event = this.#parse(record)
    const text = (...names: string[]) => {
      const found = names
        .map((name) => event[name])
        .find((value) => typeof value === 'string' && value !== '')
      return typeof found === 'string' ? found.slice(0, 200) : ''
    }
    const line = this.#make('tr', '', this.#looked ? 'record fresh' : 'record')
    line.tabIndex = 0
    const time = new Date(record.timestamp)
    const clock = Number.isNaN(time.getTime()) ? '' : time.toLocaleTimeString(undefined, this.#clock)
    const cells = [
      clock,
      text('event', 'name', 'type') || this.#header(record, 'hw-error-code') || '–',
      text('userId', 'anonymousId') || (record.key ?? '').slice(0, 200),
      `${topic} / ${partition}`,
      record.offset,
    ]
    for (const [index, cell] of cells.entries())
      line.append(this.#make('td', cell, index === 4 ? 'number' : ''))
    const detail = this.#make('tr')
    detail.hidden = true
    const toggle = () => {
      if (detail.children.length === 0) detail.append(this.#detailOf(record, event))
      detail.hidden = !detail.hidden
    }
    line.addEventListener('click', toggle)
    line.addEventListener('keydown', ({ key }) => {
      if (key === 'Enter') toggle()
    })
    return [line, detail]
  }

  #detailOf(record: RecordState, event: Record<string, unknown>): HTMLElement {
    const cell = this.#page.createElement('td')
    cell.colSpan = 5
    cell.className = 'detail'
    const text = Object.keys(event).length > 0 ? JSON.stringify(event, null, 2) : (record.value ?? 'null')
    const { producerId, epoch, sequence, hwId } = record.identity
    const identity = `producer ${producerId}, epoch ${epoch}, sequence ${sequence}${hwId === null ? '' : `, hw-id ${hwId}`}`
    const about = this.#header(record, 'hw-error-message') || identity
    cell.append(this.#make('p', about), this.#make('pre', text.slice(0, 20_000)))
    return cell
  }

  #header({ headers }: RecordState, name: string): string {
    return headers.find(({ key }) => key === name)?.value?.slice(0, 200) ?? ''
  }

  #parse({ value, valueEncoding }: RecordState): Record<string, unknown> {
    if (value === null || valueEncoding !== undefined) return {}
    try {
      const event: unknown = JSON.parse(value)
      return typeof event === 'object' && event !== null ? (event as Record<string, unknown>) : {}
    } catch {
      return {}
    }
  }
}
