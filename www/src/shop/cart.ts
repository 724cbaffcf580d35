import { type Product, productById } from './catalogue.ts'
import type { Colour } from './pictures/index.ts'

const KEY = 'rill.cart'
const MOST = 20
const FREE_SHIPPING_FROM = 7500
const SHIPPING = 490

export interface Line {
  readonly product: Product
  readonly colour: Colour
  readonly quantity: number
}

/** What an order comes to, in cents. */
export interface Totals {
  readonly subtotal: number
  readonly shipping: number
  readonly total: number
}

interface Saved {
  id: string
  lines: { product: string; colour: Colour; quantity: number }[]
}

/** The cart, one for all tabs of the shop. */
export class Cart {
  private saved = load()
  private readonly listeners = new Set<() => void>()

  constructor() {
    addEventListener('storage', (event) => {
      if (event.key !== KEY) return
      this.saved = load()
      this.changed()
    })
  }

  get id(): string {
    return this.saved.id
  }

  get lines(): readonly Line[] {
    return this.saved.lines.flatMap(({ product: id, colour, quantity }) => {
      const product = productById(id)
      return product === undefined ? [] : [{ product, colour, quantity }]
    })
  }

  get count(): number {
    return this.saved.lines.reduce((sum, line) => sum + line.quantity, 0)
  }

  get totals(): Totals {
    const subtotal = this.lines.reduce((sum, line) => sum + line.product.price * line.quantity, 0)
    const shipping = subtotal === 0 || subtotal >= FREE_SHIPPING_FROM ? 0 : SHIPPING
    return { subtotal, shipping, total: subtotal + shipping }
  }

  /** What is still missing until nothing is paid for shipping, in cents. */
  get untilFreeShipping(): number {
    return Math.max(0, FREE_SHIPPING_FROM - this.totals.subtotal)
  }

  quantity(product: Product, colour: Colour): number {
    return this.find(product, colour)?.quantity ?? 0
  }

  /** Sets how many of a product there are; none takes it out. Answers what it is then. */
  set(product: Product, colour: Colour, quantity: number): number {
    const wanted = Math.min(MOST, Math.max(0, quantity))
    const line = this.find(product, colour)
    if (wanted === 0) this.saved.lines = this.saved.lines.filter((other) => other !== line)
    else if (line === undefined) this.saved.lines.push({ product: product.id, colour, quantity: wanted })
    else line.quantity = wanted
    this.save()
    return wanted
  }

  /** Empties it: the next thing put in begins a new cart. */
  clear(): void {
    this.saved = empty()
    this.save()
  }

  onChange(listener: () => void): void {
    this.listeners.add(listener)
  }

  private find(product: Product, colour: Colour): Saved['lines'][number] | undefined {
    return this.saved.lines.find((line) => line.product === product.id && line.colour === colour)
  }

  private save(): void {
    localStorage.setItem(KEY, JSON.stringify(this.saved))
    this.changed()
  }

  private changed(): void {
    for (const listener of this.listeners) listener()
  }
}

function load(): Saved {
  try {
    const saved = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Saved | null
    return saved ?? empty()
  } catch {
    return empty()
  }
}

function empty(): Saved {
  return { id: `cart-${crypto.randomUUID().slice(0, 8)}`, lines: [] }
}
