const SVG = 'http://www.w3.org/2000/svg'

/** What may stand inside an element; `false` and `undefined` leave nothing, so that `condition && child` works. */
export type Child = Node | string | number | false | undefined

/** Attributes, and listeners under `on` + the event's name. */
export type Attributes = Record<string, string | number | boolean | undefined | ((event: Event) => void)>

/** Makes an HTML element. Text is only ever set as text. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  assign(element, attributes)
  append(element, children)
  return element
}

/** Makes an SVG element. */
export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS(SVG, tag)
  assign(element, attributes)
  append(element, children)
  return element
}

/** The element that the page is known to have. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no element #${id}`)
  return element
}

function assign(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2).toLowerCase(), value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
}

function append(element: Element, children: Child[]): void {
  for (const child of children) {
    if (child === undefined || child === false) continue
    element.append(typeof child === 'number' ? String(child) : child)
  }
}
