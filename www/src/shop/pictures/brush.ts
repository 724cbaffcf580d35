import { svg } from '../../dom.ts'

/** The paints; `tone*` follow the colour that was chosen, see `styles/pictures.css`. */
export const paint = {
  tone: 'var(--tone)',
  deep: 'var(--tone-deep)',
  light: 'var(--tone-light)',
  cream: '#f6eedd',
  creamDeep: '#e2d5ba',
  steel: '#aab4b6',
  steelDeep: '#6c787b',
  wood: '#c79a63',
  woodDeep: '#9b7140',
  line: 'var(--dark)',
  glow: '#ffdf9c',
  flame: '#ffbf4d',
} as const

export type Shape = SVGElement

/** A filled outline. */
export function fill(d: string, colour: string, opacity = 1): Shape {
  return svg('path', { d, fill: colour, opacity: opacity === 1 ? undefined : opacity })
}

/** A round-ended line. */
export function line(d: string, colour: string, width: number, opacity = 1): Shape {
  return svg('path', {
    d,
    fill: 'none',
    stroke: colour,
    'stroke-width': width,
    'stroke-linecap': 'round',
    'stroke-linejoin': 'round',
    opacity: opacity === 1 ? undefined : opacity,
  })
}

/** A rectangle with round corners. */
export function slab(
  x: number,
  y: number,
  width: number,
  height: number,
  radius: number,
  colour: string,
): Shape {
  return svg('rect', { x, y, width, height, rx: radius, fill: colour })
}

/** An ellipse, a circle where only one radius is given. */
export function disc(
  cx: number,
  cy: number,
  rx: number,
  colour: string,
  ry: number = rx,
  opacity = 1,
): Shape {
  return svg('ellipse', { cx, cy, rx, ry, fill: colour, opacity: opacity === 1 ? undefined : opacity })
}

/** The shadow that a thing throws on the floor. */
export function floor(cx: number, rx: number, cy = 205): Shape {
  return disc(cx, cy, rx, '#1b2a2b', 7, 0.16)
}

/** Two waves, the mark of the shop. */
export function mark(x: number, y: number, width: number, colour: string): Shape {
  const quarter = width / 4
  const wave = (top: number): string =>
    `M${x} ${top}q${quarter} ${-quarter} ${quarter * 2} 0t${quarter * 2} 0`
  return line(wave(y) + wave(y + width * 0.34), colour, width * 0.1)
}
