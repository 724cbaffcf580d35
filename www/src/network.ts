const KEY = 'rill.offline'

/**
 * The switch "go offline": the network as the tracker sees it. It holds for every tab of the shop and across
 * reloads, since one tab delivers for all of them and a single tab's switch would prove nothing.
 */
export class Network {
  private readonly listeners = new Set<() => void>()

  constructor() {
    addEventListener('storage', (event) => {
      if (event.key === KEY) this.changed()
    })
  }

  get offline(): boolean {
    return localStorage.getItem(KEY) === 'yes'
  }

  set offline(offline: boolean) {
    if (offline) localStorage.setItem(KEY, 'yes')
    else localStorage.removeItem(KEY)
    this.changed()
  }

  onChange(listener: () => void): void {
    this.listeners.add(listener)
  }

  /** `fetch` for the tracker's sink: fails as a browser's does when there is no network. */
  readonly fetch: typeof fetch = (input, init) => {
    if (this.offline) return Promise.reject(new TypeError('Failed to fetch (the switch says offline)'))
    return fetch(input, init)
  }

  private changed(): void {
    // What a browser says when it is back: whoever backs off may try again at once.
    if (!this.offline) dispatchEvent(new Event('online'))
    for (const listener of this.listeners) listener()
  }
}
