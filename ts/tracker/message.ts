/** A tracked message, with the fields that the Segment spec gives every message. */
export interface Message {
  type: 'track' | 'page' | 'identify'
  /** Names this message for ever. */
  messageId: string
  anonymousId: string
  userId: string | null
  /** When it happened, ISO 8601. */
  timestamp: string
  context: Context
  /** Of `track`: what happened. */
  event?: string
  /** Of `page`: the page's name. */
  name?: string
  /** Of `track` and `page`. */
  properties?: Record<string, unknown>
  /** Of `identify`. */
  traits?: Record<string, unknown>
}

/** What of a message its verb says. */
export type Part = Pick<Message, 'type' | 'event' | 'name' | 'properties' | 'traits'>

/** Where a message comes from. What the place does not have is left out. */
export interface Context {
  library: { name: string; version: string }
  /** `url` is without what is behind its #. */
  page?: { url: string; path: string; search: string; title: string; referrer: string }
  userAgent?: string
  /** The user's first language, as BCP 47 writes it: `en-GB`. */
  locale?: string
  /** The name of the time zone: `Europe/Paris`. */
  timezone?: string
  /** In CSS pixels; `density` is device pixels a CSS pixel. */
  screen?: { width: number; height: number; density: number }
}

const LIBRARY = { name: 'headwater', version: '0.1.0' }

/** The parts of the context that do not change while a page lives. */
export function stillContext(): Context {
  const { navigator, screen, devicePixelRatio } = globalThis as Partial<typeof globalThis>
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
  return {
    library: LIBRARY,
    ...(navigator?.userAgent === undefined ? {} : { userAgent: navigator.userAgent }),
    ...(navigator?.language === undefined ? {} : { locale: navigator.language }),
    ...(timeZone === undefined ? {} : { timezone: timeZone }),
    ...(screen === undefined
      ? {}
      : { screen: { width: screen.width, height: screen.height, density: devicePixelRatio ?? 1 } }),
  }
}

/** The page as it is now; there is none in a worker or on a server. */
export function pageContext(): Context['page'] {
  const { location, document } = globalThis as Partial<typeof globalThis>
  if (location === undefined || document === undefined) return undefined
  const { href, pathname, search } = location
  // What is behind # is the page's own, and may be a secret: servers do not get it either.
  const url = href.replace(/#.*/s, '')
  return { url, path: pathname, search, title: document.title, referrer: document.referrer }
}
