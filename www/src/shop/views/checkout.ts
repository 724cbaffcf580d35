import { h } from '../../dom.ts'
import { price } from '../catalogue.ts'
import { newOrderId, place } from '../order.ts'
import { nothing, type Shop, sums, thumbnail, type View } from '../parts.ts'
import { COLOUR_NAMES } from '../pictures/index.ts'
import { go } from '../router.ts'

const CUSTOMER_KEY = 'rill.customer'

/** Who it goes to, and the button. The form is filled in, so that a visitor can walk through. */
export function checkoutView(shop: Shop): View {
  const lines = shop.cart.lines
  if (lines.length === 0) {
    return { title: 'Checkout', element: nothing('There is nothing to pay', 'Your cart is empty.') }
  }
  const orderId = newOrderId()
  shop.analytics.checkoutStarted(orderId)
  const element = h(
    'div',
    {},
    h('h1', { tabindex: -1 }, 'Checkout'),
    h('div', { class: 'split' }, form(shop, orderId), aside(shop)),
  )
  return { title: 'Checkout', element }
}

function form(shop: Shop, orderId: string): HTMLElement {
  const submit = (event: Event): void => {
    event.preventDefault()
    const data = new FormData(event.target as HTMLFormElement)
    const customer = { name: String(data.get('name')), email: String(data.get('email')) }
    shop.analytics.customer(customerId(), customer)
    shop.analytics.orderCompleted(orderId)
    place(orderId, customer, shop.cart.lines, shop.cart.totals)
    shop.cart.clear()
    go({ name: 'placed' })
  }
  return h(
    'form',
    { class: 'form', onSubmit: submit },
    group(
      'Contact',
      field('Name', 'name', { autocomplete: 'name', value: 'Ada Marsh' }),
      field('Email', 'email', { type: 'email', autocomplete: 'email', value: 'ada@example.com' }),
    ),
    group(
      'Delivery',
      field('Street', 'street', { autocomplete: 'street-address', value: 'Weir Cottage 4' }),
      h(
        'div',
        { class: 'pair' },
        field('Postcode', 'postcode', { autocomplete: 'postal-code', value: '10117' }),
        field('Town', 'town', { autocomplete: 'address-level2', value: 'Upper Ford' }),
      ),
    ),
    h(
      'button',
      { class: 'button wide', type: 'submit' },
      `Place the order, ${price(shop.cart.totals.total)}`,
    ),
    h(
      'p',
      { class: 'small' },
      'This is a demonstration: nothing is charged and nothing is sent, but for the events beside it.',
    ),
  )
}

function group(legend: string, ...fields: HTMLElement[]): HTMLElement {
  return h('fieldset', {}, h('legend', {}, legend), ...fields)
}

function field(label: string, name: string, attributes: Record<string, string>): HTMLElement {
  return h(
    'label',
    { class: 'field' },
    h('span', {}, label),
    h('input', { type: 'text', name, required: true, ...attributes }),
  )
}

function aside(shop: Shop): HTMLElement {
  const { subtotal, shipping, total } = shop.cart.totals
  return h(
    'section',
    { class: 'summary', 'aria-label': 'Your order' },
    h(
      'ul',
      { class: 'mini' },
      ...shop.cart.lines.map(({ product, colour, quantity }) =>
        h(
          'li',
          {},
          thumbnail(product, colour),
          h('span', {}, product.name, h('small', {}, `${COLOUR_NAMES[colour]}, ${quantity}`)),
          h('span', { class: 'price' }, price(product.price * quantity)),
        ),
      ),
    ),
    sums([
      ['Subtotal', price(subtotal)],
      ['Shipping', shipping === 0 ? 'Free' : price(shipping)],
      ['Total', price(total)],
    ]),
  )
}

/** Who this browser is to the shop; an account's number in a real one. */
function customerId(): string {
  const known = localStorage.getItem(CUSTOMER_KEY)
  if (known !== null) return known
  const id = `customer-${crypto.randomUUID().slice(0, 8)}`
  localStorage.setItem(CUSTOMER_KEY, id)
  return id
}
