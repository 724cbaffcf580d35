import { h } from '../../dom.ts'
import { PRODUCTS, type Product, price } from '../catalogue.ts'
import { addToCart, cards, dot, icon, type Shop, stepper, type View } from '../parts.ts'
import { COLOUR_NAMES, type Colour, picture } from '../pictures/index.ts'
import { href } from '../router.ts'

/** One product: its picture in the chosen colour, what it is, and the button. */
export function productView(shop: Shop, product: Product): View {
  let [colour] = product.colours as readonly [Colour, ...Colour[]]
  let quantity = 1
  const stage = h('div', { class: 'stage' })
  const amount = h('div')
  const drawStage = (): void => {
    stage.className = `stage tone-${colour}`
    stage.replaceChildren(picture(product.picture, colour))
  }
  const drawAmount = (): void => {
    const changed = (next: number): void => {
      const held = amount.querySelectorAll('button')
      const focused = [...held].indexOf(document.activeElement as HTMLButtonElement)
      quantity = Math.min(20, Math.max(1, next))
      drawAmount()
      amount.querySelectorAll('button')[focused]?.focus()
    }
    amount.replaceChildren(stepper(product.name, quantity, changed))
  }
  drawStage()
  drawAmount()
  shop.analytics.productViewed(product, colour)

  const details = h(
    'div',
    { class: 'details' },
    h('p', { class: 'over' }, product.category),
    h('h1', { tabindex: -1 }, product.name),
    h('p', { class: 'price large' }, price(product.price)),
    h('p', { class: 'text' }, product.text),
    colours(product, colour, (chosen) => {
      colour = chosen
      drawStage()
    }),
    h(
      'div',
      { class: 'buy' },
      amount,
      h(
        'button',
        { type: 'button', class: 'button', onClick: () => addToCart(shop, product, colour, quantity) },
        'Add to cart',
      ),
    ),
    facts(product),
  )
  const element = h(
    'div',
    {},
    h(
      'a',
      { class: 'back', href: href({ name: 'list', category: product.category }) },
      icon('back'),
      product.category,
    ),
    h('article', { class: 'product' }, stage, details),
    h('section', { class: 'more' }, h('h2', {}, 'Goes in the same boat'), cards(shop, companions(product))),
  )
  return { title: product.name, element }
}

function colours(product: Product, chosen: Colour, changed: (colour: Colour) => void): HTMLElement {
  return h(
    'fieldset',
    { class: 'colours' },
    h('legend', {}, 'Colour'),
    ...product.colours.map((colour) =>
      h(
        'label',
        {},
        h('input', {
          type: 'radio',
          name: 'colour',
          value: colour,
          checked: colour === chosen,
          onChange: () => changed(colour),
        }),
        dot(colour),
        h('span', {}, COLOUR_NAMES[colour]),
      ),
    ),
  )
}

function facts(product: Product): HTMLElement {
  return h(
    'dl',
    { class: 'facts' },
    ...product.facts.map(([name, fact]) => h('div', {}, h('dt', {}, name), h('dd', {}, fact))),
  )
}

/** Three others: the next ones of the catalogue, so that each product leads on. */
function companions(product: Product): Product[] {
  const start = PRODUCTS.indexOf(product)
  return [1, 4, 7].flatMap((step) => PRODUCTS[(start + step) % PRODUCTS.length] ?? [])
}
