import { h } from '../dom.ts'
import type { Entry, Readings, Stage } from './readings.ts'

const SHOWN = 7

/** The last events of this tab, each with how far it has come. */
export class Feed {
  readonly element: HTMLElement
  private readonly list = h('ol', { class: 'feed' })
  private readonly rows = new Map<string, Row>()

  constructor() {
    this.element = h(
      'section',
      { class: 'block', 'aria-label': 'Last events' },
      h('h3', {}, 'Last events of this tab'),
      this.list,
    )
  }

  draw(readings: Readings): void {
    const recent = readings.recent(SHOWN)
    const shown = recent.map((entry) => {
      const row = this.rows.get(entry.id) ?? new Row(entry)
      row.draw(entry, readings.stage(entry))
      return row
    })
    this.rows.clear()
    recent.forEach((entry, index) => {
      const row = shown[index]
      if (row !== undefined) this.rows.set(entry.id, row)
    })
    const elements = shown.map((row) => row.element)
    // Rows that stay are left alone, so that only new ones come in with a movement.
    for (const old of [...this.list.children]) if (!elements.includes(old as HTMLElement)) old.remove()
    elements.forEach((element, index) => {
      if (this.list.children[index] !== element)
        this.list.insertBefore(element, this.list.children[index] ?? null)
    })
  }
}

class Row {
  readonly element: HTMLElement
  private readonly stage = h('span', { class: 'stage-name' })
  private readonly place = h('code')

  constructor(entry: Entry) {
    this.element = h(
      'li',
      {},
      h('span', { class: 'steps', 'aria-hidden': 'true' }, h('i'), h('i'), h('i')),
      h('span', { class: 'what' }, h('b', {}, entry.title), h('small', {}, entry.detail)),
      h('span', { class: 'where' }, this.stage, this.place),
    )
  }

  draw({ place }: Entry, stage: Stage): void {
    this.element.dataset['stage'] = stage
    this.stage.textContent = stage
    this.place.textContent = place === undefined ? '' : `${place.partition}:${place.offset}`
    this.place.title = place === undefined ? '' : `partition ${place.partition}, offset ${place.offset}`
  }
}
