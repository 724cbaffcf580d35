import { svg } from '../../dom.ts'
import { drybag, map, paddle } from './afloat.ts'
import type { Shape } from './brush.ts'
import { blanket, lantern, tent } from './camp.ts'
import { bottle, kettle, mug } from './kitchen.ts'
import { beanie, jacket, socks } from './wear.ts'

/** The colours that products come in, and are drawn in. */
export const COLOUR_NAMES = {
  lake: 'Lake',
  clay: 'Clay',
  moss: 'Moss',
  sand: 'Sand',
  slate: 'Slate',
} as const
export type Colour = keyof typeof COLOUR_NAMES

const DRAWINGS = {
  mug,
  kettle,
  bottle,
  lantern,
  tent,
  blanket,
  drybag,
  paddle,
  map,
  jacket,
  beanie,
  socks,
} satisfies Record<string, () => Shape[]>

export type PictureName = keyof typeof DRAWINGS

/** The picture of a product in one of its colours. It is decoration: the name stands beside it. */
export function picture(name: PictureName, colour: Colour): SVGSVGElement {
  const attributes = { viewBox: '0 0 240 240', class: `picture tone-${colour}`, 'aria-hidden': 'true' }
  return svg('svg', attributes, ...DRAWINGS[name]())
}
