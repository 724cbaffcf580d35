import { disc, fill, floor, line, mark, paint, type Shape, slab } from './brush.ts'

export function lantern(): Shape[] {
  return [
    disc(120, 124, 92, paint.glow, 92, 0.12),
    disc(120, 124, 66, paint.glow, 66, 0.18),
    floor(120, 56),
    line('M84 78Q80 24 120 24T156 78', paint.steelDeep, 5),
    slab(108, 17, 24, 12, 6, paint.wood),
    fill('M84 82Q86 58 120 56T156 82Z', paint.tone),
    fill('M132 58Q154 62 156 82H134Z', paint.deep, 0.5),
    fill('M84 92H156Q168 124 154 158H86Q72 124 84 92Z', paint.glow),
    disc(120, 128, 17, paint.flame, 25),
    disc(120, 134, 9, '#fff6dd', 15),
    line('M102 92Q95 124 103 158M138 92Q145 124 137 158', paint.steelDeep, 3),
    slab(76, 80, 88, 12, 6, paint.deep),
    slab(76, 154, 88, 13, 6, paint.deep),
    fill('M82 167H158L166 196Q167 206 157 206H83Q73 206 74 196Z', paint.tone),
    fill('M138 167H158L166 196Q167 206 157 206H132Q142 190 138 167Z', paint.deep, 0.5),
    disc(120, 187, 8, paint.cream),
    line('M120 187V182', paint.line, 2.5),
  ]
}

export function tent(): Shape[] {
  return [
    floor(122, 108, 201),
    line('M90 62L10 196M182 78L232 192', paint.steelDeep, 1.8),
    fill('M90 62L182 78L220 190L146 200Z', paint.tone),
    fill('M121 67.4L152 72.8L194 193.5L168 197Z', paint.light, 0.55),
    fill('M90 62L26 200H146Z', paint.deep),
    fill('M90 92L66 200H118Z', paint.line),
    fill('M90 92L66 200H52Q72 150 90 92Z', paint.light),
    fill('M90 92L118 200H130Q108 150 90 92Z', paint.light),
    line('M90 64V46', paint.woodDeep, 4),
    fill('M91 46L114 53L91 60Z', '#c8643c'),
    line('M22 200H150', paint.line, 2, 0.35),
    mark(176, 140, 24, paint.cream),
  ]
}

export function blanket(): Shape[] {
  const band = (y: number, inset: number): Shape[] => [
    slab(66 + inset, y, 9, 40, 0, paint.cream),
    slab(80 + inset, y, 5, 40, 0, paint.line),
    slab(90 + inset, y, 9, 40, 0, paint.cream),
  ]
  const fringe = Array.from({ length: 9 }, (_, index) => `M${56 + index * 10} 192v13`).join('')
  return [
    floor(120, 92),
    slab(34, 160, 172, 40, 20, paint.deep),
    ...band(160, 0),
    slab(40, 121, 160, 40, 20, paint.tone),
    ...band(121, 0),
    slab(34, 82, 172, 40, 20, paint.light),
    ...band(82, 0),
    line('M186 102H150M192 141H150M186 180H150', paint.line, 2, 0.22),
    slab(130, 76, 16, 130, 4, paint.woodDeep),
    slab(130, 76, 5, 130, 2, paint.wood),
    slab(125, 128, 26, 24, 5, paint.steel),
    slab(131, 134, 14, 12, 2, paint.woodDeep),
    line(fringe, paint.cream, 2.5),
  ]
}
