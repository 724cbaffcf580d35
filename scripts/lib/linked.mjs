import { Reader } from './sections.mjs'

// What a linker writes of itself: https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md
const SECTION = { custom: 0, import: 2, code: 10, data: 11 }
const NAMES_OF_FUNCTIONS = 1
const SYMBOL_TABLE = 8
const SYMBOL = { function: 0, data: 1, section: 3 }
const UNDEFINED = 0x10
const EXPLICIT_NAME = 0x40
/** Relocations that come with an addend: addresses in memory, and offsets. */
const WITH_ADDEND = new Set([3, 4, 5, 8, 9, 11, 14, 15, 16, 17, 21, 22, 23, 25])
/** A function's place in a table: in code, and in data. */
const TABLE_INDEX = new Set([1, 2])
const MEMORY_ADDRESS = new Set([3, 4, 5])

/**
 * What a wasm refers to beside its calls, by the linker's relocations (`--emit-relocs`): for each function and each piece
 * of data, the functions whose address it takes and the data that it names.
 *
 * A function goes by its name, a piece of data by an object of its own, with the address in memory.
 */
export function readReferences(wasm) {
  const linked = readLinked(wasm)
  const pieces = new Map()
  for (const { kind, segment, offset, size } of linked.symbols) {
    if (kind !== SYMBOL.data || segment === undefined) continue
    const key = `${segment}:${offset}:${size}`
    const { address, at } = linked.segments[segment]
    if (!pieces.has(key))
      pieces.set(key, { from: address + offset, to: address + offset + size, at: at + offset })
  }
  const pieceOf = ({ segment, offset, size }) => pieces.get(`${segment}:${offset}:${size}`)
  const references = new Map()
  const refer = (from, to) => {
    if (!references.has(from)) references.set(from, new Set())
    references.get(from).add(to)
  }
  const follow = (relocation, holders) => {
    const symbol = linked.symbols[relocation.index]
    const isFunction = TABLE_INDEX.has(relocation.type) && symbol.kind === SYMBOL.function
    const isData = MEMORY_ADDRESS.has(relocation.type) && symbol.segment !== undefined
    if (!isFunction && !isData) return
    const target = isFunction ? linked.names.get(symbol.index) : pieceOf(symbol)
    for (const holder of holders) refer(holder, target)
  }
  for (const each of linked.relocations.get(linked.code) ?? [])
    follow(each, [linked.names.get(linked.imported + bodyAt(linked.bodies, each.offset))])
  const data = [...pieces.values()]
  for (const each of linked.relocations.get(linked.data) ?? []) {
    const holds = ({ from, to, at }) => at <= each.offset && each.offset < at + to - from
    follow(each, data.filter(holds))
  }
  return { references, data }
}

/** The body that an offset into the code lies in. */
function bodyAt(starts, offset) {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (starts[middle] <= offset) low = middle
    else high = middle - 1
  }
  return low
}

function readLinked(wasm) {
  const linked = {
    imported: 0,
    bodies: [],
    segments: [],
    symbols: [],
    names: new Map(),
    relocations: new Map(),
  }
  const reader = new Reader(wasm)
  for (const [place, section] of reader.sections().entries()) {
    reader.position = section.start
    if (section.id === SECTION.import)
      linked.imported = reader.imports().filter(({ kind }) => kind === 0).length
    if (section.id === SECTION.code) {
      linked.code = place
      readBodies(reader, section, linked)
    }
    if (section.id === SECTION.data) {
      linked.data = place
      readSegments(reader, section, linked)
    }
    if (section.id === SECTION.custom) readCustom(reader, section, linked)
  }
  if (linked.symbols.length === 0) throw new Error('the wasm was linked without --emit-relocs')
  return linked
}

function readBodies(reader, { start }, linked) {
  for (let count = reader.uint(); count > 0; count--) {
    const length = reader.uint()
    linked.bodies.push(reader.position - start)
    reader.position += length
  }
}

function readSegments(reader, { start }, linked) {
  for (let count = reader.uint(); count > 0; count--) {
    const address = reader.activeOffset()
    const length = reader.uint()
    linked.segments.push({ address, at: reader.position - start })
    reader.position += length
  }
}

function readCustom(reader, { end, name, body }, linked) {
  reader.position = body
  if (name === 'name') {
    reader.subsections(end, NAMES_OF_FUNCTIONS, () => {
      for (let count = reader.uint(); count > 0; count--) linked.names.set(reader.uint(), reader.text())
    })
  } else if (name === 'linking') {
    reader.uint()
    reader.subsections(end, SYMBOL_TABLE, () => {
      for (let count = reader.uint(); count > 0; count--) linked.symbols.push(readSymbol(reader))
    })
  } else if (name.startsWith('reloc.')) {
    const target = reader.uint()
    const list = []
    for (let count = reader.uint(); count > 0; count--) {
      const [type, offset, index] = [reader.byte(), reader.uint(), reader.uint()]
      if (WITH_ADDEND.has(type)) reader.sint()
      list.push({ type, offset, index })
    }
    linked.relocations.set(target, list)
  }
}

function readSymbol(reader) {
  const [kind, flags] = [reader.byte(), reader.uint()]
  const isDefined = (flags & UNDEFINED) === 0
  if (kind === SYMBOL.section) return { kind, index: reader.uint() }
  if (kind === SYMBOL.data) {
    reader.text()
    if (!isDefined) return { kind }
    return { kind, segment: reader.uint(), offset: reader.uint(), size: reader.uint() }
  }
  const index = reader.uint()
  if (isDefined || (flags & EXPLICIT_NAME) !== 0) reader.text()
  return { kind, index }
}
