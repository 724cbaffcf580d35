import './styles/index.css'
import { loadConfig } from './config.ts'
import { byId, h } from './dom.ts'
import { Network } from './network.ts'
import { openPanel } from './panel/panel.ts'
import { Readings } from './panel/readings.ts'
import { openShop } from './shop/shop.ts'
import { openLog } from './source.ts'

async function start(): Promise<void> {
  const config = await loadConfig()
  const network = new Network()
  const { tracker, source } = openLog(config, network)
  const burst = (events: number): void => {
    for (let number = 1; number <= events; number += 1)
      tracker.track('Demonstration Event', { number, of: events })
  }
  const readings = new Readings(source)
  openPanel(byId('panel'), readings, { network, collectorUrl: config.collectorUrl, burst })
  openShop(byId('shop'), tracker)
}

start().catch((error: unknown) => {
  const reason = error instanceof Error ? error.message : String(error)
  byId('shop').replaceChildren(
    h('p', { class: 'failed', role: 'alert' }, `The shop could not open: ${reason}`),
  )
})
