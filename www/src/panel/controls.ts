import { h } from '../dom.ts'
import type { Network } from '../network.ts'

export interface Actions {
  readonly network: Network
  readonly collectorUrl: string
  /** Tracks that many events, one after another. */
  readonly burst: (events: number) => void
}

const BURST = 1000

/** What a visitor may do to the river. */
export function controls({ network, collectorUrl, burst }: Actions): HTMLElement {
  const offline = h('input', {
    type: 'checkbox',
    role: 'switch',
    onChange: () => {
      network.offline = offline.checked
    },
  })
  const draw = (): void => {
    offline.checked = network.offline
  }
  network.onChange(draw)
  draw()
  return h(
    'section',
    { class: 'controls', 'aria-label': 'Try it' },
    h(
      'label',
      { class: 'switch' },
      offline,
      h('span', { class: 'track', 'aria-hidden': 'true' }),
      h('span', {}, h('b', {}, 'Go offline'), h('small', {}, 'The network fails, in every tab')),
    ),
    h('button', { type: 'button', onClick: () => burst(BURST) }, 'Add 1,000 events'),
    h(
      'button',
      { type: 'button', onClick: () => void open(location.href, '_blank', 'noopener') },
      'Open a second tab',
    ),
    h(
      'a',
      { href: collectorUrl, target: '_blank', rel: 'noopener' },
      'See them arrive at the collector',
      h('span', { 'aria-hidden': 'true' }, ' ↗'),
    ),
  )
}
