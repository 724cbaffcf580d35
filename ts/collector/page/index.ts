import { LivePage } from './live.ts'
import { MARKUP } from './markup.ts'
import { STYLE } from './style.ts'

/**
 * What the page may do: run its own script, and ask its own server. Records may say anything; they run nothing, and
 * nothing is loaded from anywhere else.
 */
const POLICY: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The page that shows records arriving, and its two files; `undefined` for other addresses. */
export function pageFile(path: string): Response | undefined {
  if (path === '/') return file(MARKUP, 'text/html')
  if (path === '/page.css') return file(STYLE, 'text/css')
  // The class is complete in itself, so that its source is the page's whole script.
  if (path === '/page.js') return file(`new (${LivePage})(document)\n`, 'text/javascript')
  return undefined
}

function file(body: string, type: string): Response {
  const headers = {
    'content-type': `${type}; charset=utf-8`,
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
  }
  return new Response(body, { headers })
}
