import { createTracker } from 'headwater/tracker'
import { type Figure, figure, median } from '../figure.ts'

/** What `track()` costs the main thread, against `JSON.stringify` of the same event alone. */
export async function track(): Promise<Figure[]> {
  const tracker = createTracker({
    writeKey: 'bench',
    endpoint: 'http://127.0.0.1:9/v1/batches',
    name: 'bench-track',
  })
  await tracker.ready()
  const properties = { sku: 'A-113', price: 1299, currency: 'EUR', category: 'shoes', position: 7 }
  const ours: number[] = []
  const raw: number[] = []
  // Many a block: a page's clock is coarse.
  const block = 500
  for (let round = 0; round < 60; round++) {
    const start = performance.now()
    for (let index = 0; index < block; index++) tracker.track('Product Viewed', properties)
    const middle = performance.now()
    for (let index = 0; index < block; index++) JSON.stringify({ event: 'Product Viewed', properties, index })
    const end = performance.now()
    await tracker.flush()
    if (round < 10) continue
    ours.push(((middle - start) * 1_000) / block)
    raw.push(((end - middle) * 1_000) / block)
  }
  const goal = { value: { most: 20 } }
  return [figure('track() against JSON.stringify', 'us p50', median(ours), median(raw), goal)]
}
