import { Reader } from './sections.mjs'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const IMPORTS = 2
const EXPORTS = 7
const FUNCTION = 0
/** What runs a closure, among the exports: its name begins with this sign then, by which the guards know it. */
const CLOSURE = /closures[\d_]*invoke|^__wasm_bindgen_func_elem/
const CLOSURE_SIGN = '$'
const GLUE = 'g'

/**
 * Short names for what crosses between a wasm and its glue: the long ones are a tenth of what a page loads of both.
 * Answers how to rename a wasm, see `renamed`, and the glue with the new names.
 */
export function shortNames(wasm, glue) {
  const reader = new Reader(wasm)
  const sections = reader.sections()
  const at = (wanted, read) => {
    reader.position = sections.find(({ id }) => id === wanted).start
    return read()
  }
  const imported = at(IMPORTS, () => reader.imports())
  const exported = at(EXPORTS, () => reader.exports()).filter(({ kind }) => kind === FUNCTION)
  const [module] = new Set(imported.map((each) => each.module))
  const imports = new Map([[module, GLUE], ...imported.map(({ name }, index) => [name, short(index)])])
  const exports = new Map(
    exported.map(({ name }, index) => [name, `${CLOSURE.test(name) ? CLOSURE_SIGN : ''}${short(index)}`]),
  )
  const text = glue
    .replace(JSON.stringify(module), JSON.stringify(GLUE))
    .replace(/^ {8}(\w+): function\(/gm, (line, name) => line.replace(name, () => imports.get(name) ?? name))
    .replace(/\bwasm\.(\w+)/g, (use, name) => (exports.has(name) ? `wasm.${exports.get(name)}` : use))
  for (const name of [...imports.keys()].slice(1)) {
    if (new RegExp(`^ {8}${name}: function\\(`, 'm').test(text))
      throw new Error(`names: ${name} is left in the glue`)
  }
  return { imports, exports, glue: text }
}

/** A, B, ..., Z, AA, AB, ... */
function short(index) {
  const rest = Math.floor(index / LETTERS.length)
  return (rest === 0 ? '' : short(rest - 1)) + LETTERS[index % LETTERS.length]
}
