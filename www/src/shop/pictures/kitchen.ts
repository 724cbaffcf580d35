import { disc, fill, floor, line, mark, paint, type Shape, slab } from './brush.ts'

export function mug(): Shape[] {
  return [
    floor(116, 74),
    line('M158 106q40-6 40 30q0 36-44 38', paint.deep, 13),
    fill('M58 80L64 184Q65 204 86 204H138Q159 204 160 184L166 80Z', paint.tone),
    fill('M132 80H166L160 184Q159 204 138 204H112Q134 188 132 80Z', paint.deep, 0.45),
    line('M76 106L80 180', paint.light, 6, 0.7),
    disc(112, 80, 55, paint.line, 12),
    disc(112, 80, 50, paint.cream, 9.5),
    fill('M66 83Q112 72 158 83Q150 89.5 112 89.5T66 83Z', '#5b3a26'),
    mark(92, 138, 42, paint.cream),
    disc(72, 168, 1.8, paint.cream, 1.8, 0.7),
    disc(146, 116, 1.8, paint.cream, 1.8, 0.7),
    disc(128, 182, 1.8, paint.cream, 1.8, 0.7),
    disc(88, 118, 1.5, paint.cream, 1.5, 0.7),
  ]
}

export function kettle(): Shape[] {
  return [
    floor(120, 84),
    line('M64 108Q60 40 120 38T176 108', paint.steelDeep, 6),
    line('M98 41Q120 35 142 41', paint.woodDeep, 14),
    line('M99 39Q120 34 141 39', paint.wood, 8),
    fill('M172 126L208 92Q216 88 222 96L190 166Z', paint.deep),
    disc(214, 94, 9, paint.line, 4.5),
    fill('M46 188Q42 122 84 100H156Q198 122 194 188Q192 204 174 204H66Q48 204 46 188Z', paint.tone),
    fill('M150 100H156Q198 122 194 188Q192 204 174 204H136Q166 170 150 100Z', paint.deep, 0.5),
    line('M64 178Q62 140 86 118', paint.light, 7, 0.7),
    disc(120, 101, 42, paint.deep, 8),
    fill('M84 98Q90 80 120 79T156 98Q140 104 120 104T84 98Z', paint.light),
    slab(112, 64, 16, 18, 7, paint.wood),
    fill('M46 184H194Q194 204 174 204H66Q46 204 46 184Z', paint.line, 0.22),
  ]
}

export function bottle(): Shape[] {
  return [
    floor(120, 48),
    line('M105 46Q104 20 120 20T135 46', paint.line, 8),
    slab(97, 42, 46, 22, 7, paint.line),
    slab(97, 58, 46, 8, 3, paint.steelDeep),
    fill('M102 66H138V74Q162 84 162 112V186Q162 206 142 206H98Q78 206 78 186V112Q78 84 102 74Z', paint.tone),
    fill(
      'M130 66H138V74Q162 84 162 112V186Q162 206 142 206H122Q142 180 138 112Q136 86 130 74Z',
      paint.deep,
      0.5,
    ),
    line('M92 112V176', paint.light, 7, 0.7),
    fill('M78 184H162V186Q162 206 142 206H98Q78 206 78 186Z', paint.steel),
    fill('M134 184H162V186Q162 206 142 206H124Q132 198 134 184Z', paint.steelDeep, 0.5),
    mark(101, 134, 38, paint.cream),
  ]
}
