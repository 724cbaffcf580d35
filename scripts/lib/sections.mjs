const MAGIC_AND_VERSION = 8
const CUSTOM = 0
const IMPORTS = 2
const EXPORTS = 7
const DATA = 11
const FUNCTION = 0
const TABLE = 1
const GLOBAL = 3
const I32_CONST = 0x41
const NAMES_OF_FUNCTIONS = 1

/** Reads the binary format of wasm, as far as the build has to. */
export class Reader {
  position = MAGIC_AND_VERSION

  constructor(bytes) {
    this.bytes = bytes
  }

  byte() {
    return this.bytes[this.position++]
  }

  /** LEB128, without a sign. */
  uint() {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }

  /** LEB128, with a sign. */
  sint() {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - 2 ** (shift + 7)
    }
  }

  text() {
    const length = this.uint()
    this.position += length
    return this.bytes.toString('utf8', this.position - length, this.position)
  }

  /** All sections; a custom one has its name, and where its own part begins. */
  sections() {
    const found = []
    this.position = MAGIC_AND_VERSION
    while (this.position < this.bytes.length) {
      const from = this.position
      const id = this.byte()
      const length = this.uint()
      const [start, end] = [this.position, this.position + length]
      const name = id === CUSTOM ? this.text() : ''
      found.push({ id, from, start, end, name, body: this.position })
      this.position = end
    }
    return found
  }

  /** Calls `read` at each part of a custom section that has this id. */
  subsections(end, id, read) {
    while (this.position < end) {
      const found = this.byte()
      const length = this.uint()
      const after = this.position + length
      if (found === id) read()
      this.position = after
    }
  }

  imports() {
    return Array.from({ length: this.uint() }, () => {
      const [module, name, kind] = [this.text(), this.text(), this.byte()]
      const from = this.position
      if (kind === FUNCTION) this.uint()
      else if (kind === GLOBAL) this.position += 2
      else {
        if (kind === TABLE) this.byte()
        this.limits()
      }
      return { module, name, kind, type: this.bytes.subarray(from, this.position) }
    })
  }

  exports() {
    return Array.from({ length: this.uint() }, () => {
      return { name: this.text(), kind: this.byte(), index: this.uint() }
    })
  }

  limits() {
    const flags = this.uint()
    this.uint()
    if ((flags & 1) !== 0) this.uint()
  }

  /** Where an active segment of the one memory goes. */
  activeOffset() {
    const [flags, constant] = [this.uint(), this.byte()]
    if (flags !== 0 || constant !== I32_CONST) throw new Error('a segment of data has no fixed address')
    const offset = this.sint()
    this.byte()
    return offset
  }
}

/** The functions that a wasm defines, in their order, by the names that it was given; several may have the same. */
export function readNames(wasm) {
  const reader = new Reader(wasm)
  const sections = reader.sections()
  reader.position = sections.find(({ id }) => id === IMPORTS).start
  const imported = reader.imports().filter(({ kind }) => kind === FUNCTION).length
  const names = []
  const { end, body } = sections.find(({ name }) => name === 'name')
  reader.position = body
  reader.subsections(end, NAMES_OF_FUNCTIONS, () => {
    for (let count = reader.uint(); count > 0; count--) {
      const index = reader.uint()
      names[index - imported] = reader.text()
    }
  })
  return names
}

/** What memory holds from the start. */
export function readData(wasm) {
  const reader = new Reader(wasm)
  const section = reader.sections().find(({ id }) => id === DATA)
  if (section === undefined) return []
  reader.position = section.start
  return Array.from({ length: reader.uint() }, () => {
    const [address, length] = [reader.activeOffset(), reader.uint()]
    reader.position += length
    return { address, bytes: wasm.subarray(reader.position - length, reader.position) }
  })
}

/** The wasm without the custom sections whose names match. */
export function withoutSections(wasm, names) {
  const kept = new Reader(wasm).sections().filter(({ id, name }) => id !== CUSTOM || !names.test(name))
  const parts = kept.map(({ from, end }) => wasm.subarray(from, end))
  return Buffer.concat([wasm.subarray(0, MAGIC_AND_VERSION), ...parts])
}

/** Names imports, the modules that they are from, and exports anew. What a map does not have keeps its name. */
export function renamed(wasm, { imports, exports }) {
  const reader = new Reader(wasm)
  const parts = reader.sections().map(({ id, from, start, end }) => {
    reader.position = start
    if (id === IMPORTS) {
      const entries = reader.imports().map(({ module, name, kind, type }) => {
        const names = [imports.get(module) ?? module, imports.get(name) ?? name]
        return Buffer.concat([...names.map(text), Buffer.from([kind]), type])
      })
      return section(IMPORTS, entries)
    }
    if (id === EXPORTS) {
      const entries = reader.exports().map(({ name, kind, index }) => {
        return Buffer.concat([text(exports.get(name) ?? name), Buffer.from([kind]), uint(index)])
      })
      return section(EXPORTS, entries)
    }
    return wasm.subarray(from, end)
  })
  return Buffer.concat([wasm.subarray(0, MAGIC_AND_VERSION), ...parts])
}

function section(id, entries) {
  const body = Buffer.concat([uint(entries.length), ...entries])
  return Buffer.concat([Buffer.from([id]), uint(body.length), body])
}

function text(value) {
  const bytes = Buffer.from(value, 'utf8')
  return Buffer.concat([uint(bytes.length), bytes])
}

function uint(value) {
  const bytes = []
  let rest = value
  do {
    const more = rest >= 0x80
    bytes.push(more ? (rest & 0x7f) | 0x80 : rest)
    rest = Math.floor(rest / 0x80)
  } while (rest > 0)
  return Buffer.from(bytes)
}
