import type { Tracker } from 'headwater/tracker'
import type { Cart, Line, Totals } from './cart.ts'
import { type Category, CURRENCY, type Product, type Sort } from './catalogue.ts'
import type { Colour } from './pictures/index.ts'

/** What of a tracker the shop uses. */
export type ShopTracker = Pick<Tracker, 'track' | 'page' | 'identify'>

type Properties = Record<string, unknown>

/** The shop's events, by the names and properties of Segment's e-commerce specification. */
export class Analytics {
  constructor(
    private readonly tracker: ShopTracker,
    private readonly cart: Cart,
  ) {}

  page(name: string): void {
    this.tracker.page(name)
  }

  customer(id: string, traits: { name: string; email: string }): void {
    this.tracker.identify(id, traits)
  }

  listViewed(category: Category | undefined, products: readonly Product[]): void {
    this.tracker.track('Product List Viewed', {
      list_id: category?.toLowerCase() ?? 'all',
      category,
      products: products.map((product, index) => ({ ...basics(product), position: index + 1 })),
    })
  }

  searched(query: string, found: number): void {
    this.tracker.track('Products Searched', { query, results: found })
  }

  sorted(category: Category | undefined, sort: Sort): void {
    this.tracker.track('Product List Filtered', {
      list_id: category?.toLowerCase() ?? 'all',
      sorts: [{ type: 'price', value: sort }],
    })
  }

  productViewed(product: Product, colour: Colour): void {
    this.tracker.track('Product Viewed', { ...item(product, colour, 1), currency: CURRENCY })
  }

  productAdded(product: Product, colour: Colour, quantity: number): void {
    this.tracker.track('Product Added', { cart_id: this.cart.id, ...item(product, colour, quantity) })
  }

  productRemoved(product: Product, colour: Colour, quantity: number): void {
    this.tracker.track('Product Removed', { cart_id: this.cart.id, ...item(product, colour, quantity) })
  }

  cartViewed(): void {
    this.tracker.track('Cart Viewed', { cart_id: this.cart.id, products: items(this.cart.lines) })
  }

  checkoutStarted(orderId: string): void {
    this.tracker.track('Checkout Started', order(orderId, this.cart.lines, this.cart.totals))
  }

  orderCompleted(orderId: string): void {
    this.tracker.track('Order Completed', order(orderId, this.cart.lines, this.cart.totals))
  }
}

function basics(product: Product): Properties {
  return {
    product_id: product.id,
    name: product.name,
    category: product.category,
    price: product.price / 100,
  }
}

function item(product: Product, colour: Colour, quantity: number): Properties {
  return { ...basics(product), variant: colour, brand: 'Rill', quantity }
}

function items(lines: readonly Line[]): Properties[] {
  return lines.map(({ product, colour, quantity }) => item(product, colour, quantity))
}

function order(id: string, lines: readonly Line[], totals: Totals): Properties {
  return {
    order_id: id,
    subtotal: totals.subtotal / 100,
    shipping: totals.shipping / 100,
    total: totals.total / 100,
    currency: CURRENCY,
    products: items(lines),
  }
}
