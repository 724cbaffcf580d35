import type { Colour, PictureName } from './pictures/index.ts'

export const CURRENCY = 'EUR'

export const CATEGORIES = ['Kitchen', 'Camp', 'Afloat', 'Wear'] as const
export type Category = (typeof CATEGORIES)[number]

export interface Product {
  readonly id: string
  readonly name: string
  readonly category: Category
  /** In cents, so that sums are exact. */
  readonly price: number
  readonly colours: readonly [Colour, ...Colour[]]
  readonly picture: PictureName
  readonly line: string
  readonly text: string
  readonly facts: readonly (readonly [string, string])[]
}

export const PRODUCTS: readonly Product[] = [
  {
    id: 'tarn-mug',
    name: 'Tarn Mug',
    category: 'Kitchen',
    price: 1400,
    colours: ['lake', 'clay', 'sand'],
    picture: 'mug',
    line: 'Enamelled steel, 350 ml',
    text: 'The mug that hangs from the pack and never minds. Two coats of enamel on steel, a rolled rim, and a handle wide enough for a glove.',
    facts: [
      ['Material', 'Enamelled steel'],
      ['Holds', '350 ml'],
      ['Weight', '140 g'],
    ],
  },
  {
    id: 'spate-kettle',
    name: 'Spate Kettle',
    category: 'Kitchen',
    price: 3800,
    colours: ['slate', 'clay', 'moss'],
    picture: 'kettle',
    line: 'Pours straight, boils fast',
    text: 'A squat kettle with a broad base that takes the whole flame. The bail folds flat, the spout does not drip, and the lid stays on when you pour the last cup.',
    facts: [
      ['Material', 'Anodised aluminium'],
      ['Holds', '1.1 l'],
      ['Weight', '260 g'],
    ],
  },
  {
    id: 'beck-bottle',
    name: 'Beck Bottle',
    category: 'Kitchen',
    price: 2400,
    colours: ['moss', 'lake', 'slate'],
    picture: 'bottle',
    line: 'Single wall, no fuss',
    text: 'One wall of steel, so it can stand in the embers. The loop in the cap takes two fingers or one carabiner.',
    facts: [
      ['Material', 'Stainless steel'],
      ['Holds', '750 ml'],
      ['Weight', '190 g'],
    ],
  },
  {
    id: 'weir-lantern',
    name: 'Weir Lantern',
    category: 'Camp',
    price: 4600,
    colours: ['clay', 'moss', 'slate'],
    picture: 'lantern',
    line: 'Forty hours of warm light',
    text: 'A small lantern with a warm filament and a dial that goes down to almost nothing. Charges from anything; hangs from everything.',
    facts: [
      ['Light', '5 to 180 lm, 2200 K'],
      ['Lasts', '40 h at half'],
      ['Weight', '310 g'],
    ],
  },
  {
    id: 'bank-tent',
    name: 'Bank Tent',
    category: 'Camp',
    price: 24000,
    colours: ['sand', 'moss', 'lake'],
    picture: 'tent',
    line: 'Two people, one dry floor',
    text: 'Two poles, eight pegs, four minutes. Steep walls shed the rain, the porch keeps the boots, and the floor is sewn like a boat.',
    facts: [
      ['Sleeps', '2'],
      ['Floor', '220 x 130 cm, 10 000 mm'],
      ['Weight', '2.1 kg'],
    ],
  },
  {
    id: 'current-blanket',
    name: 'Current Blanket',
    category: 'Camp',
    price: 6800,
    colours: ['lake', 'clay', 'sand'],
    picture: 'blanket',
    line: 'Wool, woven by a small mill',
    text: 'Heavy wool with a dry hand, warm when it is damp. Woven in one piece and washed in river water, as it has been since the mill had a wheel.',
    facts: [
      ['Material', 'Wool'],
      ['Size', '140 x 190 cm'],
      ['Weight', '1.3 kg'],
    ],
  },
  {
    id: 'ford-dry-bag',
    name: 'Ford Dry Bag',
    category: 'Afloat',
    price: 2900,
    colours: ['clay', 'lake', 'sand'],
    picture: 'drybag',
    line: 'Roll it three times and swim',
    text: 'A welded bag with a stiff rim. Roll three times, clip, throw it in: it floats, and your jumper stays a jumper.',
    facts: [
      ['Material', 'TPU on nylon'],
      ['Holds', '20 l'],
      ['Weight', '240 g'],
    ],
  },
  {
    id: 'drift-paddle',
    name: 'Drift Paddle',
    category: 'Afloat',
    price: 7200,
    colours: ['clay', 'lake', 'moss'],
    picture: 'paddle',
    line: 'Ash, oiled, dipped by hand',
    text: 'A beavertail blade from one plank of ash. It flexes a little at the end of the stroke, which is where the shoulder is grateful.',
    facts: [
      ['Material', 'Ash, linseed oil'],
      ['Length', '150 cm'],
      ['Weight', '720 g'],
    ],
  },
  {
    id: 'meander-map',
    name: 'Meander Map',
    category: 'Afloat',
    price: 900,
    colours: ['sand', 'moss'],
    picture: 'map',
    line: 'The whole river, 1 : 25 000',
    text: 'From the spring to the sea in one strip, with every weir, landing and pub. Printed on paper that was made to get wet.',
    facts: [
      ['Scale', '1 : 25 000'],
      ['Size', '24 x 210 cm, folded 24 x 15'],
      ['Paper', 'Waterproof'],
    ],
  },
  {
    id: 'delta-jacket',
    name: 'Delta Jacket',
    category: 'Wear',
    price: 12800,
    colours: ['lake', 'clay', 'moss'],
    picture: 'jacket',
    line: 'Three layers against the rain',
    text: 'Quiet cloth, long arms, a hood that turns with your head. Two pockets high enough for a life vest.',
    facts: [
      ['Material', 'Recycled nylon, 3 layers'],
      ['Water column', '20 000 mm'],
      ['Weight', '420 g'],
    ],
  },
  {
    id: 'mist-beanie',
    name: 'Mist Beanie',
    category: 'Wear',
    price: 2200,
    colours: ['clay', 'moss', 'lake'],
    picture: 'beanie',
    line: 'Merino, ribbed, one size',
    text: 'A double cuff that stays over the ears. Knitted from merino that does not itch, in the colours of a bank in October.',
    facts: [
      ['Material', 'Merino wool'],
      ['Size', 'One, stretches'],
      ['Weight', '60 g'],
    ],
  },
  {
    id: 'brook-socks',
    name: 'Brook Socks',
    category: 'Wear',
    price: 1200,
    colours: ['moss', 'clay', 'lake'],
    picture: 'socks',
    line: 'Thick where it matters',
    text: 'Terry under the foot, thin over it, a heel that is where heels are. Sold by the pair, lost one by one.',
    facts: [
      ['Material', '70 % wool'],
      ['Sizes', '36 to 46'],
      ['Weight', '80 g'],
    ],
  },
]

/** The product of that id. */
export function productById(id: string): Product | undefined {
  return PRODUCTS.find((product) => product.id === id)
}

/** How the list may be narrowed and ordered. */
export interface Selection {
  readonly category: Category | undefined
  readonly query: string
  readonly sort: Sort
}

export const SORTS = {
  featured: 'Featured',
  cheap: 'Price, low to high',
  dear: 'Price, high to low',
} as const
export type Sort = keyof typeof SORTS

/** The products that a selection leaves, in its order. */
export function select({ category, query, sort }: Selection): readonly Product[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const found = PRODUCTS.filter((product) => {
    const text = `${product.name} ${product.line} ${product.category}`.toLowerCase()
    return (
      (category === undefined || product.category === category) && words.every((word) => text.includes(word))
    )
  })
  if (sort === 'featured') return found
  const sign = sort === 'cheap' ? 1 : -1
  return found.sort((left, right) => sign * (left.price - right.price))
}

const money = new Intl.NumberFormat('en-IE', { style: 'currency', currency: CURRENCY })

/** Cents as people read them. */
export function price(cents: number): string {
  return money.format(cents / 100)
}
