import { byId, h } from '../dom.ts'
import { Analytics, type ShopTracker } from './analytics.ts'
import { Cart } from './cart.ts'
import { CATEGORIES, type Category, productById } from './catalogue.ts'
import { icon, nothing, type Shop, type View } from './parts.ts'
import { href, parse, type Route } from './router.ts'
import { cartView } from './views/cart.ts'
import { checkoutView } from './views/checkout.ts'
import { listView } from './views/list.ts'
import { placedView } from './views/placed.ts'
import { productView } from './views/product.ts'

const SAY_MS = 2600

/** Builds the shop into its element and follows the address from then on. */
export function openShop(root: HTMLElement, tracker: ShopTracker): void {
  const cart = new Cart()
  const main = h('main', { id: 'main', tabindex: -1 })
  const header = new Header(cart)
  const voice = h('p', { class: 'toast', role: 'status' })
  const shop: Shop = { cart, analytics: new Analytics(tracker, cart), say: sayer(voice) }
  root.append(header.element, main, footer(), voice)
  // The hash is the shop's address, so the link to the main part cannot have it.
  byId('skip').addEventListener('click', (event) => {
    event.preventDefault()
    main.focus()
  })

  let first = true
  const arrive = (): void => {
    const route = parse(location.hash)
    shop.analytics.page(pageName(route))
    if (route.name === 'cart') shop.analytics.cartViewed()
    const view = show(route)
    if (!first) {
      scrollTo({ top: 0 })
      heading(main)?.focus({ preventScroll: true })
      shop.say('')
    }
    first = false
    document.title = `${view.title} | Rill`
    header.mark(route)
  }
  const show = (route: Route): View => {
    const view = viewOf(shop, route)
    main.replaceChildren(view.element)
    return view
  }
  // The cart may change in another tab; what has the focus keeps it over the redrawing.
  cart.onChange(() => {
    header.count()
    const route = parse(location.hash)
    if (route.name !== 'cart') return
    const label = main.contains(document.activeElement) && document.activeElement?.getAttribute('aria-label')
    show(route)
    if (label)
      (main.querySelector<HTMLElement>(`[aria-label=${CSS.escape(label)}]`) ?? heading(main))?.focus()
  })
  addEventListener('hashchange', arrive)
  arrive()
}

function viewOf(shop: Shop, route: Route): View {
  switch (route.name) {
    case 'list':
      return listView(shop, route.category)
    case 'product': {
      const product = productById(route.id)
      return product === undefined ? missing() : productView(shop, product)
    }
    case 'cart':
      return cartView(shop)
    case 'checkout':
      return checkoutView(shop)
    case 'placed':
      return placedView()
    case 'missing':
      return missing()
  }
}

function missing(): View {
  return { title: 'Not found', element: nothing('This bend of the river is empty', 'There is no such page.') }
}

function pageName(route: Route): string {
  switch (route.name) {
    case 'list':
      return route.category ?? 'Home'
    case 'product':
      return 'Product'
    case 'cart':
      return 'Cart'
    case 'checkout':
      return 'Checkout'
    case 'placed':
      return 'Order placed'
    case 'missing':
      return 'Not found'
  }
}

class Header {
  readonly element: HTMLElement
  private readonly links = new Map<Category, HTMLAnchorElement>()
  private readonly badge = h('span', { class: 'badge' })
  private readonly cartLink: HTMLAnchorElement

  constructor(private readonly cart: Cart) {
    this.cartLink = h('a', { class: 'cart-link', href: href({ name: 'cart' }) }, icon('cart'), this.badge)
    for (const category of CATEGORIES) {
      this.links.set(category, h('a', { href: href({ name: 'list', category }) }, category))
    }
    this.element = h(
      'header',
      { class: 'top' },
      h(
        'a',
        { class: 'brand', href: href({ name: 'list', category: undefined }), 'aria-label': 'Rill, the shop' },
        icon('river'),
        'Rill',
      ),
      h('nav', { 'aria-label': 'Categories' }, ...this.links.values()),
      this.cartLink,
    )
    this.count()
  }

  /** Shows where somebody is. */
  mark(route: Route): void {
    for (const [category, link] of this.links) {
      if (route.name === 'list' && route.category === category) link.setAttribute('aria-current', 'page')
      else link.removeAttribute('aria-current')
    }
  }

  /** Shows how much is in the cart. */
  count(): void {
    const { count } = this.cart
    this.badge.textContent = count === 0 ? '' : String(count)
    this.badge.hidden = count === 0
    this.cartLink.setAttribute('aria-label', count === 1 ? 'Cart, 1 thing' : `Cart, ${count} things`)
  }
}

function footer(): HTMLElement {
  return h(
    'footer',
    { class: 'bottom' },
    h('p', {}, 'Rill is a shop that sells nothing. It shows what a tracked page looks like.'),
  )
}

function heading(main: HTMLElement): HTMLElement | null {
  return main.querySelector('h1')
}

function sayer(voice: HTMLElement): (text: string) => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  return (text) => {
    clearTimeout(timer)
    if (text !== '') voice.textContent = text
    voice.classList.toggle('shown', text !== '')
    timer = setTimeout(() => voice.classList.remove('shown'), SAY_MS)
  }
}
