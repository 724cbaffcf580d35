import { h } from '../dom.ts'
import type { Network } from '../network.ts'
import type { Readings } from './readings.ts'

const format = new Intl.NumberFormat('en')

/** A number as people read it. */
export function count(value: number | bigint): string {
  return format.format(value)
}

/** The river: recorded, stored, delivered, and whether it runs. */
export class Flow {
  readonly element: HTMLElement
  private readonly recorded = h('strong')
  private readonly stored = h('strong')
  private readonly delivered = h('strong')

  constructor() {
    this.element = h(
      'ol',
      { class: 'flow', 'aria-label': 'Events on their way' },
      station('Recorded', 'this tab', this.recorded),
      station('Stored', 'in the log, all tabs', this.stored),
      station('Delivered', 'to the collector', this.delivered),
    )
  }

  draw(readings: Readings, network: Network): void {
    this.recorded.textContent = count(readings.recorded)
    this.stored.textContent = count(readings.stored)
    this.delivered.textContent = count(readings.delivered)
    this.element.dataset['append'] = readings.recorded > readings.storedHere ? 'running' : 'still'
    this.element.dataset['deliver'] = current(readings, network)
  }
}

function current(readings: Readings, network: Network): 'running' | 'still' | 'stopped' {
  if (network.offline) return 'stopped'
  if (readings.waiting === 0n) return 'still'
  return readings.setback === undefined ? 'running' : 'stopped'
}

function station(name: string, where: string, number: HTMLElement): HTMLElement {
  return h('li', {}, number, h('b', {}, name), h('small', {}, where))
}
