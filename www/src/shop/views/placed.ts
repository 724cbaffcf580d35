import { h } from '../../dom.ts'
import { price } from '../catalogue.ts'
import { lastOrder } from '../order.ts'
import { icon, nothing, sums, type View } from '../parts.ts'
import { href } from '../router.ts'

/** The order is placed. */
export function placedView(): View {
  const order = lastOrder()
  if (order === undefined) {
    return { title: 'Order', element: nothing('No order yet', 'This tab has not placed one.') }
  }
  const element = h(
    'article',
    { class: 'placed' },
    h('span', { class: 'seal' }, icon('tick')),
    h('p', { class: 'over' }, `Order ${order.id}`),
    h('h1', { tabindex: -1 }, `Thank you, ${order.name.split(' ')[0] ?? order.name}`),
    h('p', {}, `Your order is on its way downstream. A receipt would go to ${order.email}.`),
    h(
      'section',
      { class: 'summary', 'aria-label': 'Your order' },
      sums([
        ...order.lines.map((line) => [`${line.quantity} × ${line.name}`, price(line.price)] as const),
        ['Shipping', order.totals.shipping === 0 ? 'Free' : price(order.totals.shipping)],
        ['Total', price(order.totals.total)],
      ]),
    ),
    h('a', { class: 'button', href: href({ name: 'list', category: undefined }) }, 'Back to the shop'),
  )
  return { title: 'Thank you', element }
}
