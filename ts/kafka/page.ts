/** What a node is told of its page. */
export type PageChange = 'hidden' | 'visible' | 'suspend' | 'resume' | 'online' | 'closing'

/** Tells `change` what becomes of the page; in a worker or in Node there is less to tell. */
export function watchPage(change: (change: PageChange) => void): () => void {
  const removals: (() => void)[] = []
  const listen = (target: EventTarget | undefined, name: string, listener: (event: Event) => void) => {
    if (typeof target?.addEventListener !== 'function') return
    target.addEventListener(name, listener, { capture: true })
    removals.push(() => target.removeEventListener(name, listener, { capture: true }))
  }
  const page: Document | undefined = globalThis.document
  const realm = globalThis as unknown as EventTarget
  listen(page, 'visibilitychange', () => change(page?.visibilityState === 'hidden' ? 'hidden' : 'visible'))
  listen(page, 'freeze', () => change('suspend'))
  listen(page, 'resume', () => change('resume'))
  listen(realm, 'online', () => change('online'))
  if (page !== undefined) {
    // Before 'hidden', which begins what this page may not live to see. Only a page that is kept holds on to its locks;
    // one that dies loses them by itself.
    listen(realm, 'pagehide', (event) =>
      change((event as PageTransitionEvent).persisted ? 'suspend' : 'closing'),
    )
    listen(realm, 'pageshow', (event) => {
      if ((event as PageTransitionEvent).persisted) change('resume')
    })
  }
  return () => {
    for (const remove of removals) remove()
  }
}
