import type { Line, Totals } from './cart.ts'

const KEY = 'rill.order'

/** An order that was placed: what the last page tells, also after a reload. */
export interface Order {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly totals: Totals
  readonly lines: readonly { readonly name: string; readonly quantity: number; readonly price: number }[]
}

/** A number for a new order. */
export function newOrderId(): string {
  return `R-${crypto.randomUUID().slice(0, 6).toUpperCase()}`
}

/** Keeps the order for this tab. */
export function place(
  id: string,
  customer: { name: string; email: string },
  lines: readonly Line[],
  totals: Totals,
): void {
  const order: Order = {
    id,
    ...customer,
    totals,
    lines: lines.map(({ product, quantity }) => ({
      name: product.name,
      quantity,
      price: product.price * quantity,
    })),
  }
  sessionStorage.setItem(KEY, JSON.stringify(order))
}

/** The order that this tab placed last. */
export function lastOrder(): Order | undefined {
  const saved = sessionStorage.getItem(KEY)
  return saved === null ? undefined : (JSON.parse(saved) as Order)
}
