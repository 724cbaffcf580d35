import { type Child, h, svg } from '../dom.ts'
import type { Analytics } from './analytics.ts'
import type { Cart } from './cart.ts'
import { type Product, price } from './catalogue.ts'
import { COLOUR_NAMES, type Colour, picture } from './pictures/index.ts'
import { href } from './router.ts'

/** What every view of the shop works with. */
export interface Shop {
  readonly cart: Cart
  readonly analytics: Analytics
  /** Says something for a moment, aloud too. */
  readonly say: (text: string) => void
}

/** What a route shows. */
export interface View {
  readonly title: string
  readonly element: HTMLElement
}

/** Puts some of a product into the cart, and tells everybody. */
export function addToCart(shop: Shop, product: Product, colour: Colour, quantity: number): void {
  const before = shop.cart.quantity(product, colour)
  const added = shop.cart.set(product, colour, before + quantity) - before
  if (added <= 0) {
    shop.say('That is as many as one order takes')
    return
  }
  shop.analytics.productAdded(product, colour, added)
  shop.say(`${product.name} is in your cart`)
}

/** A product as lists show it. */
export function card(shop: Shop, product: Product): HTMLElement {
  const [colour] = product.colours
  const add = h(
    'button',
    {
      type: 'button',
      class: 'card-add',
      'aria-label': `Add ${product.name} to the cart`,
      onClick: () => addToCart(shop, product, colour, 1),
    },
    icon('plus'),
  )
  return h(
    'li',
    { class: 'card' },
    h(
      'a',
      { class: 'card-link', href: href({ name: 'product', id: product.id }) },
      h('span', { class: `card-picture tone-${colour}` }, picture(product.picture, colour)),
      h('span', { class: 'card-name' }, product.name),
      h('span', { class: 'card-line' }, product.line),
    ),
    h(
      'span',
      { class: 'card-foot' },
      h('span', { class: 'price' }, price(product.price)),
      h('span', { class: 'dots', 'aria-hidden': 'true' }, ...product.colours.map((each) => dot(each))),
    ),
    add,
  )
}

/** A list of cards. */
export function cards(shop: Shop, products: readonly Product[]): HTMLElement {
  return h('ul', { class: 'cards' }, ...products.map((product) => card(shop, product)))
}

/** A small picture of a product in a line of the cart or of the checkout. */
export function thumbnail(product: Product, colour: Colour): HTMLElement {
  return h('span', { class: `thumbnail tone-${colour}` }, picture(product.picture, colour))
}

/** A dot in a colour. */
export function dot(colour: Colour): HTMLElement {
  return h('span', { class: `dot tone-${colour}`, title: COLOUR_NAMES[colour] })
}

/** Less, how many, more. */
export function stepper(what: string, quantity: number, change: (quantity: number) => void): HTMLElement {
  const button = (label: string, name: IconName, next: number): HTMLElement =>
    h('button', { type: 'button', 'aria-label': `${label} ${what}`, onClick: () => change(next) }, icon(name))
  return h(
    'div',
    { class: 'stepper', role: 'group', 'aria-label': `Quantity of ${what}` },
    button('Fewer of', 'minus', quantity - 1),
    h('output', {}, quantity),
    button('More of', 'plus', quantity + 1),
  )
}

/** Sums: a name and an amount a row. */
export function sums(rows: readonly (readonly [string, Child])[]): HTMLElement {
  return h(
    'dl',
    { class: 'sums' },
    ...rows.map(([name, amount]) => h('div', {}, h('dt', {}, name), h('dd', {}, amount))),
  )
}

/** A place where there is nothing yet. */
export function nothing(title: string, text: string): HTMLElement {
  return h(
    'section',
    { class: 'nothing' },
    icon('river'),
    h('h1', { tabindex: -1 }, title),
    h('p', {}, text),
    h('a', { class: 'button', href: href({ name: 'list', category: undefined }) }, 'Look round the shop'),
  )
}

const ICONS = {
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  cart: 'M4 8h16l-1.4 11a1.6 1.6 0 0 1-1.6 1.4H7a1.6 1.6 0 0 1-1.6-1.4ZM8.5 10.5V7a3.5 3.5 0 0 1 7 0v3.5',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM20 20l-4.8-4.8',
  back: 'M14.5 5.5L8 12l6.5 6.5',
  tick: 'M5 12.5l4.5 4.5L19 7.5',
  river: 'M2 9q5-4.5 10 0t10 0M2 16q5-4.5 10 0t10 0',
} as const

export type IconName = keyof typeof ICONS

/** A small drawing that stands beside words or in a button with a label. */
export function icon(name: IconName): SVGSVGElement {
  return svg(
    'svg',
    { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' },
    svg('path', { d: ICONS[name] }),
  )
}
