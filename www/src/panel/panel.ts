import { h } from '../dom.ts'
import type { Network } from '../network.ts'
import { type Actions, controls } from './controls.ts'
import { Feed } from './feed.ts'
import { count, Flow } from './flow.ts'
import { Partitions } from './partitions.ts'
import type { Readings } from './readings.ts'

/** Builds the live panel into its element, and draws it whenever a reading has changed. */
export function openPanel(root: HTMLElement, readings: Readings, actions: Actions): void {
  const { network } = actions
  const flow = new Flow()
  const partitions = new Partitions(readings.source.topic)
  const feed = new Feed()
  const status = h('p', { class: 'status' })
  const voice = h('p', { class: 'sr', role: 'status' })
  const counts = h('span', { class: 'counts' })
  const body = h(
    'div',
    { class: 'panel-body', id: 'panel-body' },
    flow.element,
    status,
    voice,
    controls(actions),
    partitions.element,
    feed.element,
    foot(),
  )
  root.append(handle(root, counts), body)

  let drawing = false
  const draw = (): void => {
    drawing = false
    flow.draw(readings, network)
    partitions.draw(readings.positions)
    feed.draw(readings)
    const { tone, text } = weather(readings, network)
    // The words change with every second of a backoff; only a change of the weather is said aloud.
    if (root.dataset['tone'] !== tone) voice.textContent = text
    root.dataset['tone'] = tone
    if (status.textContent !== text) status.textContent = text
    counts.textContent = `${count(readings.stored)} stored, ${count(readings.delivered)} delivered`
  }
  const drawSoon = (): void => {
    if (drawing) return
    drawing = true
    requestAnimationFrame(draw)
  }
  readings.onChange(drawSoon)
  network.onChange(drawSoon)
  setInterval(() => {
    if (readings.setback !== undefined) drawSoon()
  }, 500)
  draw()
}

/** The panel's top; on a small screen it is the button that opens and closes the panel. */
function handle(root: HTMLElement, counts: HTMLElement): HTMLElement {
  const toggle = h(
    'button',
    {
      type: 'button',
      class: 'handle',
      'aria-expanded': 'false',
      'aria-controls': 'panel-body',
      onClick: () => {
        const open = root.classList.toggle('open')
        toggle.setAttribute('aria-expanded', String(open))
      },
    },
    h('span', { class: 'lamp', 'aria-hidden': 'true' }),
    h('span', { class: 'handle-name' }, 'headwater'),
    counts,
    h('span', { class: 'chevron', 'aria-hidden': 'true' }),
  )
  const title = h(
    'header',
    { class: 'panel-top' },
    h('span', { class: 'lamp', 'aria-hidden': 'true' }),
    h('h2', {}, 'headwater'),
    h('span', { class: 'panel-tag' }, 'the log behind this shop'),
  )
  return h('div', { class: 'panel-head' }, title, toggle)
}

interface Weather {
  readonly tone: 'good' | 'busy' | 'bad'
  readonly text: string
}

function weather(readings: Readings, network: Network): Weather {
  const { waiting, setback, failure, trouble } = readings
  const wait = `${count(waiting)} ${waiting === 1n ? 'record waits' : 'records wait'} in the log`
  if (failure !== undefined) return { tone: 'bad', text: `The log cannot be read: ${failure}` }
  if (trouble !== undefined) return { tone: 'bad', text: trouble }
  if (setback !== undefined && waiting > 0n) {
    const seconds = Math.max(0, Math.ceil((setback.retryAt - Date.now()) / 1000))
    const next = seconds === 0 ? 'trying again now' : `next try in ${seconds} s`
    const why = network.offline ? 'Offline' : setback.message
    return { tone: 'bad', text: `${why}. Backing off, ${next} (${setback.attempts} failed). ${wait}.` }
  }
  if (network.offline)
    return { tone: 'bad', text: waiting === 0n ? 'Offline. Nothing waits.' : `Offline. ${wait}.` }
  if (waiting > 0n) return { tone: 'busy', text: `Delivering. ${wait}.` }
  return { tone: 'good', text: 'Everything in the log is delivered.' }
}

/** What the panel cannot show: that the log outlives the tabs. */
function foot(): HTMLElement {
  return h(
    'p',
    { class: 'foot' },
    'The log is in IndexedDB and all tabs share it. Close them, come back: what waits is still there.',
  )
}
