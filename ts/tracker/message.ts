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
  /** Of `page`: the page's category. */
  category?: string
  /** Of `track` and `page`. */
  properties?: object
  /** Of `identify`. */
  traits?: object
}

/** Where a message comes from. What the place does not have is left out. */
export interface Context {
  library: { name: string; version: string }
  page?: { url: string; path: string; search: string; title: string; referrer: string }
  userAgent?: string
  locale?: string
  timezone?: string
  screen?: { width: number; height: number; density: number }
  [field: string]: unknown
}

const LIBRARY = { name: 'headwater', version: '0.1.0' }

/** The parts of the context that do not change while a page lives, read once. */
export function stillContext(): Context {
  const { navigator, screen, devicePixelRatio } = globalThis as Partial<typeof globalThis>
  const context: Context = { library: LIBRARY }
  if (navigator?.userAgent !== undefined) context['userAgent'] = navigator.userAgent
  if (navigator?.language !== undefined) context['locale'] = navigator.language
  try {
    context['timezone'] = Intl.DateTimeFormat().resolvedOptions().timeZone
  } catch {
    // An engine without time zones has none to report.
  }
  if (screen !== undefined) {
    const { width, height } = screen
    context['screen'] = { width, height, density: devicePixelRatio ?? 1 }
  }
  return context
}

/** The page as it is now. */
export function pageContext(): Context['page'] | undefined {
  const { location, document } = globalThis as Partial<typeof globalThis>
  if (location === undefined || document === undefined) return undefined
  const { href, pathname, search } = location
  return { url: href, path: pathname, search, title: document.title, referrer: document.referrer }
}

/** A fresh id. `randomUUID` exists in secure contexts only. */
export function freshId(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Ids of many messages from one random prefix: a call of `randomUUID` a message is the dearest part of `track()`. */
export function messageIds(): () => string {
  const prefix = freshId()
  let count = 0
  return () => `${prefix}-${(count++).toString(36)}`
}
