import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT } from './process.mjs'

/** Bundles the demo with webpack, as a shop would. */
export async function buildDemo() {
  const webpack = createRequire(import.meta.url)('webpack')
  const { default: config } = await import(join(ROOT, 'webpack.config.js'))
  await new Promise((resolve, reject) => {
    const compiler = webpack(config)
    compiler.run((error, stats) => {
      compiler.close(() => undefined)
      if (error) reject(error)
      else if (stats.hasErrors()) reject(new Error(stats.toString({ all: false, errors: true })))
      else resolve()
    })
  })
}
