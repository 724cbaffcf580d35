import { h, svg } from '../dom.ts'

/** The top of the first page: a valley, and the river that begins in it. */
export function hero(): HTMLElement {
  return h(
    'header',
    { class: 'hero' },
    valley(),
    h(
      'div',
      { class: 'hero-text' },
      h('h1', { tabindex: -1 }, 'Goods for days by the river'),
      h('p', {}, 'Twelve things that we use ourselves, from the spring down to the sea.'),
    ),
  )
}

function valley(): SVGSVGElement {
  const hill = (name: string, d: string): SVGElement => svg('path', { class: name, d })
  return svg(
    'svg',
    { class: 'valley', viewBox: '0 0 900 300', preserveAspectRatio: 'xMaxYMid slice', 'aria-hidden': 'true' },
    svg('rect', { class: 'sky', width: 900, height: 300 }),
    svg('circle', { class: 'sun', cx: 690, cy: 84, r: 40 }),
    hill('hill-4', 'M0 206Q240 206 420 150T640 138Q720 92 790 112T900 128V300H0Z'),
    hill('hill-3', 'M0 236Q150 214 300 214T560 182Q650 132 720 158T900 150V300H0Z'),
    hill('hill-2', 'M0 256Q200 226 380 240T650 200Q760 172 900 196V300H0Z'),
    hill(
      'water',
      'M722 159C706 166 744 172 738 182C731 194 682 200 690 216C698 232 742 236 722 256C708 271 664 284 646 300H838C826 284 832 272 812 256C788 237 742 232 744 216C746 203 768 196 760 180C755 170 728 168 722 159Z',
    ),
    hill(
      'glint',
      'M706 214q10 4 20 0M742 240q14 5 28 0M744 258q18 6 36 0M706 280q22 7 44 0M768 282q20 6 40 0',
    ),
    hill('hill-1', 'M0 276Q180 252 340 262T600 262Q664 268 650 300H0Z'),
    hill('hill-1', 'M900 236Q846 230 818 248Q836 268 836 300H900Z'),
    ...trees(),
  )
}

function trees(): SVGElement[] {
  const spots: [number, number, number][] = [
    [598, 256, 1],
    [566, 252, 0.76],
    [622, 262, 0.66],
    [846, 240, 0.9],
    [876, 238, 1.2],
    [520, 190, 0.4],
    [544, 188, 0.5],
    [836, 192, 0.45],
  ]
  return spots.map(([x, y, scale]) =>
    svg('path', {
      class: 'tree',
      d: 'M0-70L16-38H8L22-12H3V0H-3V-12H-22L-8-38H-16Z',
      transform: `translate(${x} ${y}) scale(${scale})`,
    }),
  )
}
