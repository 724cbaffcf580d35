import { h } from '../dom.ts'
import type { Position } from './readings.ts'

const COLUMNS = ['Partition', 'Log start', 'Committed', 'Log end', 'Lag']

/** The offsets of every partition, as the log has them. */
export class Partitions {
  readonly element: HTMLElement
  private readonly body = h('tbody')
  private drawn: readonly Position[] = []

  constructor(topic: string) {
    this.element = h(
      'section',
      { class: 'block', 'aria-label': 'Offsets' },
      h('h3', {}, 'Topic ', h('code', {}, topic)),
      h(
        'table',
        {},
        h('thead', {}, h('tr', {}, ...COLUMNS.map((name) => h('th', { scope: 'col' }, name)))),
        this.body,
      ),
    )
  }

  draw(positions: readonly Position[]): void {
    if (positions === this.drawn) return
    this.drawn = positions
    this.body.replaceChildren(...(positions.length === 0 ? [unknown()] : positions.flatMap(rows)))
  }
}

function rows({ partition, start, end, committed }: Position): HTMLElement[] {
  const cells = [start, committed, end, end - committed].map((value) => h('td', {}, String(value)))
  const held = end - start
  const done = held === 0n ? 0 : Number(((committed > start ? committed - start : 0n) * 1000n) / held) / 10
  const filled = h('i')
  filled.style.inlineSize = `${done}%`
  return [
    h('tr', {}, h('th', { scope: 'row' }, partition), ...cells),
    h(
      'tr',
      { class: 'bar', 'aria-hidden': 'true' },
      h('td', { colspan: COLUMNS.length }, h('span', {}, filled)),
    ),
  ]
}

function unknown(): HTMLElement {
  return h('tr', {}, h('td', { class: 'empty', colspan: COLUMNS.length }, 'The log is empty.'))
}
