import { CATEGORIES, type Category } from './catalogue.ts'

/** Where in the shop somebody is; it is what stands behind the address's `#`. */
export type Route =
  | { readonly name: 'list'; readonly category: Category | undefined }
  | { readonly name: 'product'; readonly id: string }
  | { readonly name: 'cart' }
  | { readonly name: 'checkout' }
  | { readonly name: 'placed' }
  | { readonly name: 'missing' }

/** The address of a route, for links. */
export function href(route: Route): string {
  switch (route.name) {
    case 'list':
      return route.category === undefined ? '#/' : `#/${route.category.toLowerCase()}`
    case 'product':
      return `#/product/${encodeURIComponent(route.id)}`
    default:
      return `#/${route.name}`
  }
}

/** The route of an address. */
export function parse(hash: string): Route {
  const [first = '', second] = hash.replace(/^#\/?/, '').split('/')
  if (first === '') return { name: 'list', category: undefined }
  if (first === 'product' && second !== undefined) return { name: 'product', id: decode(second) }
  if (first === 'cart' || first === 'checkout' || first === 'placed') return { name: first }
  const category = CATEGORIES.find((candidate) => candidate.toLowerCase() === first)
  return category === undefined ? { name: 'missing' } : { name: 'list', category }
}

/** Goes there; the shop hears of it as of any click on a link. */
export function go(route: Route): void {
  location.hash = href(route)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
