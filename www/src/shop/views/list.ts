import { h } from '../../dom.ts'
import { type Category, SORTS, type Sort, select } from '../catalogue.ts'
import { hero } from '../hero.ts'
import { cards, icon, type Shop, type View } from '../parts.ts'

const PAUSE_MS = 500

const INTRODUCTIONS: Record<Category, string> = {
  Kitchen: 'What stands on the fire, and what is drunk from afterwards.',
  Camp: 'Light, warmth, and a dry floor.',
  Afloat: 'For the part of the day that moves.',
  Wear: 'Weather is mostly a question of cloth.',
}

/** All products, or those of a category, with a search and an order. */
export function listView(shop: Shop, category: Category | undefined): View {
  let query = ''
  let sort: Sort = 'featured'
  const results = h('div', { class: 'results' })
  const count = h('p', { class: 'count', role: 'status' })
  const draw = (): number => {
    const found = select({ category, query, sort })
    count.textContent = found.length === 1 ? '1 product' : `${found.length} products`
    results.replaceChildren(
      found.length > 0
        ? cards(shop, found)
        : h('p', { class: 'none' }, `Nothing here is called “${query}”. Try “mug”, “rain” or “wool”.`),
    )
    return found.length
  }

  let pause: ReturnType<typeof setTimeout> | undefined
  const search = searchBox(category, (text) => {
    query = text
    const found = draw()
    clearTimeout(pause)
    if (text !== '') pause = setTimeout(() => shop.analytics.searched(text, found), PAUSE_MS)
  })
  const order = sortBox((chosen) => {
    sort = chosen
    draw()
    shop.analytics.sorted(category, chosen)
  })

  draw()
  shop.analytics.listViewed(category, select({ category, query, sort }))
  const toolbar = h('div', { class: 'toolbar' }, search, order, count)
  const heading =
    category === undefined
      ? hero()
      : h(
          'header',
          { class: 'intro' },
          h('h1', { tabindex: -1 }, category),
          h('p', {}, INTRODUCTIONS[category]),
        )
  return {
    title: category ?? 'Goods for days by the river',
    element: h('div', {}, heading, toolbar, results),
  }
}

function searchBox(category: Category | undefined, changed: (text: string) => void): HTMLElement {
  const label = category === undefined ? 'Search the shop' : `Search in ${category}`
  return h(
    'label',
    { class: 'search' },
    icon('search'),
    h('span', { class: 'sr' }, label),
    h('input', {
      type: 'search',
      placeholder: label,
      autocomplete: 'off',
      onInput: (event) => changed((event.target as HTMLInputElement).value.trim()),
    }),
  )
}

function sortBox(changed: (sort: Sort) => void): HTMLElement {
  const names = Object.keys(SORTS) as Sort[]
  return h(
    'label',
    { class: 'sort' },
    h('span', { class: 'sr' }, 'Order'),
    h(
      'select',
      { onChange: (event) => changed((event.target as HTMLSelectElement).value as Sort) },
      ...names.map((name) => h('option', { value: name }, SORTS[name])),
    ),
  )
}
