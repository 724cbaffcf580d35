import { h } from '../../dom.ts'
import type { Line } from '../cart.ts'
import { price } from '../catalogue.ts'
import { icon, nothing, type Shop, stepper, sums, thumbnail, type View } from '../parts.ts'
import { COLOUR_NAMES } from '../pictures/index.ts'
import { href } from '../router.ts'

/** What is in the cart. It redraws itself; its event is told by whoever came here. */
export function cartView(shop: Shop): View {
  const lines = shop.cart.lines
  if (lines.length === 0) {
    return { title: 'Cart', element: nothing('Your cart is empty', 'A mug would be a start.') }
  }
  const element = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, 'Your cart'),
    h(
      'div',
      { class: 'split' },
      h('ul', { class: 'lines' }, ...lines.map((line) => row(shop, line))),
      summary(shop),
    ),
  )
  return { title: 'Cart', element }
}

function row(shop: Shop, line: Line): HTMLElement {
  const { product, colour, quantity } = line
  const link = href({ name: 'product', id: product.id })
  return h(
    'li',
    { class: 'line' },
    h('a', { href: link, tabindex: -1, 'aria-hidden': 'true' }, thumbnail(product, colour)),
    h(
      'div',
      { class: 'line-text' },
      h('a', { class: 'line-name', href: link }, product.name),
      h('span', { class: 'line-colour' }, COLOUR_NAMES[colour]),
      h(
        'button',
        {
          type: 'button',
          class: 'link',
          'aria-label': `Remove ${product.name}, ${COLOUR_NAMES[colour]}`,
          onClick: () => change(shop, line, 0),
        },
        'Remove',
      ),
    ),
    stepper(`${product.name}, ${COLOUR_NAMES[colour]}`, quantity, (next) => change(shop, line, next)),
    h('span', { class: 'price' }, price(product.price * quantity)),
  )
}

function change(shop: Shop, { product, colour, quantity }: Line, wanted: number): void {
  const difference = shop.cart.set(product, colour, wanted) - quantity
  if (difference > 0) shop.analytics.productAdded(product, colour, difference)
  if (difference < 0) shop.analytics.productRemoved(product, colour, -difference)
  if (wanted === 0) shop.say(`${product.name} is out of your cart`)
}

function summary(shop: Shop): HTMLElement {
  const { subtotal, shipping, total } = shop.cart.totals
  const missing = shop.cart.untilFreeShipping
  return h(
    'section',
    { class: 'summary', 'aria-label': 'Summary' },
    sums([
      ['Subtotal', price(subtotal)],
      ['Shipping', shipping === 0 ? 'Free' : price(shipping)],
      ['Total', price(total)],
    ]),
    h('a', { class: 'button wide', href: href({ name: 'checkout' }) }, 'Go to checkout'),
    h(
      'p',
      { class: 'note' },
      icon('river'),
      missing === 0 ? 'Shipping is free.' : `Another ${price(missing)}, and shipping is free.`,
    ),
  )
}
