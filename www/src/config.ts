/** What the server of this page tells it. */
export interface Config {
  /** Where the tracker delivers. */
  readonly endpoint: string
  /** The collector's own page. */
  readonly collectorUrl: string
  readonly writeKey: string
}

/** Reads `/config.json`; the shop has no address of its own in it. */
export async function loadConfig(): Promise<Config> {
  const response = await fetch('config.json', { cache: 'no-store' })
  if (!response.ok) throw new Error(`config.json answered ${response.status}`)
  const { endpoint, collectorUrl, writeKey } = (await response.json()) as Partial<Config>
  if (endpoint === undefined || collectorUrl === undefined || writeKey === undefined) {
    throw new Error('config.json must have endpoint, collectorUrl and writeKey')
  }
  return { endpoint, collectorUrl, writeKey }
}
