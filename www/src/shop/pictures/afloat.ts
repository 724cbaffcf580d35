import { svg } from '../../dom.ts'
import { disc, fill, floor, line, mark, paint, type Shape, slab } from './brush.ts'

export function drybag(): Shape[] {
  return [
    floor(120, 64),
    line('M70 62Q44 26 120 24T170 62', paint.line, 6),
    slab(102, 17, 36, 15, 5, paint.line),
    slab(115, 20, 10, 9, 2, paint.steelDeep),
    fill('M74 78L64 188Q64 206 84 206H156Q176 206 176 188L166 78Z', paint.tone),
    fill('M140 78H166L176 188Q176 206 156 206H122Q150 180 140 78Z', paint.deep, 0.45),
    line('M84 104L78 182', paint.light, 7, 0.7),
    slab(64, 50, 112, 17, 8, paint.deep),
    slab(68, 64, 104, 16, 8, paint.light),
    line('M70 92Q120 100 170 92', paint.deep, 3, 0.7),
    fill('M64 186H176V188Q176 206 156 206H84Q64 206 64 188Z', paint.line, 0.25),
    mark(98, 134, 46, paint.cream),
  ]
}

export function paddle(): Shape[] {
  const shapes = [
    slab(114, 26, 12, 120, 5, paint.wood),
    slab(120, 26, 6, 120, 3, paint.woodDeep),
    fill('M97 19Q97 4 120 4T143 19Q143 32 127 38H113Q97 32 97 19Z', paint.wood),
    fill('M122 4Q143 5 143 19Q143 32 127 38H122Z', paint.woodDeep, 0.6),
    fill('M114 120Q90 146 92 192Q94 236 120 236T148 192Q150 146 126 120Z', paint.wood),
    fill('M120 122L126 120Q150 146 148 192Q146 236 120 236Z', paint.woodDeep, 0.45),
    fill('M92 186Q94 236 120 236T148 186Q134 196 120 190T92 186Z', paint.tone),
    fill('M120 190Q134 196 148 186Q146 236 120 236Z', paint.deep, 0.55),
    line('M92 182Q106 186 120 186T148 182', paint.cream, 3),
    line('M120 128V182', paint.woodDeep, 2, 0.7),
  ]
  return [
    floor(92, 52, 224),
    svg('g', { transform: 'rotate(34 120 120) translate(7 6) scale(.94)' }, ...shapes),
  ]
}

export function map(): Shape[] {
  const folds: [number, number, number][] = [
    [30, 66, 52],
    [75, 52, 66],
    [120, 66, 52],
    [165, 52, 66],
  ]
  const panels = folds.map(([x, left, right], index) =>
    fill(
      `M${x} ${left}L${x + 45} ${right}V${right + 130}L${x} ${left + 130}Z`,
      index % 2 === 0 ? paint.cream : paint.creamDeep,
    ),
  )
  return [
    floor(120, 100, 204),
    ...panels,
    fill('M30 70L75 56V92Q52 108 30 100Z', '#b9c08c', 0.8),
    fill('M165 128Q188 112 210 124V196L165 182Z', '#b9c08c', 0.8),
    fill('M75 150Q100 138 120 156V196L75 182Z', '#b9c08c', 0.55),
    line('M30 158C60 150 58 118 84 118S112 152 132 134S146 84 172 88S196 100 210 80', paint.tone, 9),
    line('M84 118C84 96 98 88 100 60M132 134C146 150 150 160 148 187', paint.tone, 4),
    line('M44 178L66 140M70 132L112 88M118 84L152 76', '#c8643c', 2.5),
    line('M75 52V182M120 66V196M165 52V182', paint.line, 1.2, 0.28),
    fill('M184 60Q184 44 198 44T212 60Q212 70 198 86Q184 70 184 60Z', '#c8643c'),
    disc(198, 59, 5.5, paint.cream),
  ]
}
