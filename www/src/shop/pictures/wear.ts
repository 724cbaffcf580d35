import { disc, fill, floor, line, mark, paint, type Shape, slab } from './brush.ts'

export function jacket(): Shape[] {
  return [
    floor(120, 76, 210),
    fill('M68 76Q44 84 38 116L24 180Q24 190 34 192L54 195L74 130Z', paint.deep),
    fill('M172 76Q196 84 202 116L216 180Q216 190 206 192L186 195L166 130Z', paint.deep),
    fill(
      'M25 176L58 182L54 195L34 192Q24 190 25 176ZM215 176L182 182L186 195L206 192Q216 190 215 176Z',
      paint.line,
    ),
    fill('M66 76Q92 62 120 62T174 76L178 206H62Z', paint.tone),
    fill('M120 62Q148 62 174 76L178 206H120Z', paint.deep, 0.35),
    fill('M84 72Q78 28 120 26T156 72Q142 90 120 90T84 72Z', paint.deep),
    fill('M96 66Q94 42 120 42T144 66Q138 80 120 80T96 66Z', paint.line),
    line('M120 82V206', paint.cream, 3.5),
    slab(116.5, 88, 7, 13, 3, paint.steel),
    line('M82 140L98 124M158 140L142 124', paint.line, 4, 0.7),
    line('M62 196H178', paint.line, 2.5, 0.3),
    line('M86 84Q78 100 78 118M154 84Q162 100 162 118', paint.deep, 2.5, 0.7),
    mark(134, 106, 22, paint.cream),
  ]
}

export function beanie(): Shape[] {
  const ribs = Array.from({ length: 11 }, (_, index) => `M${62 + index * 11.6} 152v36`).join('')
  return [
    floor(120, 82, 200),
    disc(120, 48, 22, paint.cream),
    line('M104 40l-5-7M112 32l-3-8M122 30v-8M131 33l4-8M138 42l7-5', paint.cream, 6),
    disc(128, 54, 14, paint.creamDeep, 12, 0.7),
    fill('M58 156Q52 66 120 64T182 156Z', paint.tone),
    fill('M134 65Q186 74 182 156H150Q160 104 134 65Z', paint.deep, 0.45),
    line('M120 66V148M98 70Q82 104 84 148M142 70Q158 104 156 148', paint.deep, 4, 0.6),
    line('M74 130Q74 104 86 88', paint.light, 6, 0.6),
    slab(48, 146, 144, 48, 18, paint.deep),
    line(ribs, paint.line, 3, 0.22),
    slab(104, 156, 32, 26, 3, paint.wood),
    mark(110, 167, 20, paint.line),
  ]
}

export function socks(): Shape[] {
  const sock =
    'M0 0H50V96Q50 108 60 115L92 136Q108 150 98 164Q92 172 78 172H44Q28 172 16 158L6 144Q0 136 0 124Z'
  const pair = (x: number, y: number, body: string, patch: string): Shape[] => {
    const shapes = [
      fill(sock, body),
      fill('M0 112Q22 116 26 138T16 158L6 144Q0 136 0 124Z', patch),
      fill('M70 122L92 136Q108 150 98 164Q92 172 78 172H66Q62 144 70 122Z', patch),
      slab(0, 44, 50, 7, 0, paint.cream),
      slab(0, 57, 50, 7, 0, patch),
      slab(0, 70, 50, 7, 0, paint.cream),
      slab(-4, -6, 58, 30, 9, patch),
      line('M8-2v22M18-2v22M28-2v22M38-2v22', paint.line, 2.5, 0.2),
    ]
    for (const shape of shapes) shape.setAttribute('transform', `translate(${x} ${y})`)
    return shapes
  }
  return [
    floor(126, 84, 207),
    ...pair(94, 30, paint.deep, paint.line),
    ...pair(54, 36, paint.tone, paint.deep),
  ]
}
