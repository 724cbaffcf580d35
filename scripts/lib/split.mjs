import { createRequire } from 'node:module'
import { readReferences } from './linked.mjs'
import { readData, readNames } from './sections.mjs'

// The name of the core's exports in the imports of the late part.
const CORE = 'core'
/** What the core enters, and what the late part calls of it. */
const TABLE = 'late'
const USED = 'used'
const MEMORY = '0'
/** What runs a closure, among the exports. */
const CLOSURE = /closures[\d_]*invoke/

/**
 * Splits a wasm in two: a core, which runs by itself, and a late part, which is loaded when it is needed. Both work on
 * one memory, one stack and the same tables.
 *
 * The core is what can be reached from the exports without passing a function whose name matches `gates`: by calls, by
 * the addresses that the linker knows of (see linked.mjs), and by the closures that the glue makes. All else is late, code
 * and data. Where the core calls a gate, it goes through a slot of a table that the late part fills when it is instantiated
 * with the exports of the core; before that, the call traps. So nothing may enter it earlier: see ts/native/instance.ts.
 *
 * `linked` is what the linker wrote, `bound` what became of it with the glue. Both need the names of their functions; what
 * comes out still has them, and is not optimised.
 */
export async function split({ linked, bound, glue, gates }) {
  const binaryen = await load()
  binaryen.setDebugInfo(true)
  const core = binaryen.readBinary(bound)
  const rest = binaryen.readBinary(bound)
  const program = survey(core.emitText(), bound, glue, readReferences(linked), gates)
  cutCore(binaryen, core, program)
  cutLate(binaryen, rest, program)
  if (!core.validate() || !rest.validate()) throw new Error('split: one of the parts is not valid')
  return { core: Buffer.from(core.emitBinary()), late: Buffer.from(rest.emitBinary()) }
}

/** binaryen sets the process's own handlers for errors; nobody here wants them. */
async function load() {
  const before = process.listeners('unhandledRejection')
  const { default: binaryen } = await import(createRequire(import.meta.url).resolve('binaryen'))
  for (const listener of process.listeners('unhandledRejection'))
    if (!before.includes(listener)) process.off('unhandledRejection', listener)
  return binaryen
}

const NAME = String.raw`\$("(?:[^"\\]|\\.)*"|[^\s()]+)`

/** Who needs whom, what the tables and the memory hold, and what of it is late. */
function survey(text, bound, glue, { references, data }, gates) {
  const calls = readCalls(text)
  const referred = byGivenName([...calls.keys()], readNames(bound), references)
  const exported = all(text, `^ \\(export "([^"]+)" \\((\\w+) ${NAME}`).map(([, name, kind, target]) => {
    return { name, kind, target: plain(target) }
  })
  const functions = new Map(
    exported.filter(({ kind }) => kind === 'func').map(({ name, target }) => [name, target]),
  )
  const imported = all(text, `^ \\(import "[^"]*" "([^"]+)" \\(func ${NAME}`).map(([, name, target]) => [
    plain(target),
    mentioned(glue, name, functions),
  ])
  const made = new Map(imported)
  const closures = new Set([...made.values()].flat())
  const isRoot = ({ kind, target }) => kind === 'func' && !closures.has(target)
  const started = all(text, `^ \\(start ${NAME}\\)`).map(([, target]) => plain(target))
  const needs = (each) => [...(calls.get(each) ?? []), ...referred(each), ...(made.get(each) ?? [])]
  const isGate = (each) => typeof each === 'string' && gates.test(each)
  const roots = [...started, ...exported.filter(isRoot).map(({ target }) => target)]
  const reached = reach(needs, roots, (each) => !isGate(each))
  const isLate = (name) => calls.has(name) && !reached.has(name)
  const calleesOf = (names) =>
    [...new Set(names.flatMap((name) => [...calls.get(name)]))].filter((name) => calls.has(name))
  const [late, early] = [[...calls.keys()].filter(isLate), [...calls.keys()].filter((name) => !isLate(name))]
  const tables = [...text.matchAll(/^ \(table \$(\S+) .*?(funcref|externref)\)$/gm)]
  return {
    elements: readElements(text),
    exported,
    isLate,
    late,
    early,
    functionTable: tables.find(([, , type]) => type === 'funcref')[1],
    tables: tables.map(([, name]) => name),
    segments: readData(bound),
    lateData: rangesOf(data, reached),
    /** Late functions that the core calls. */
    entered: calleesOf(early).filter(isLate),
    /** Functions of the core that late ones call. */
    used: calleesOf(late).filter((name) => !isLate(name)),
  }
}

/** The linker may give one name to several functions; here each has its own. Then what one refers to, all do. */
function byGivenName(names, given, references) {
  const givenTo = new Map(names.map((name, index) => [name, given[index]]))
  const named = new Map()
  for (const [name, each] of givenTo) named.set(each, [...(named.get(each) ?? []), name])
  return (each) => {
    const found = references.get(typeof each === 'string' ? givenTo.get(each) : each) ?? []
    return [...found].flatMap((target) => (typeof target === 'string' ? (named.get(target) ?? []) : [target]))
  }
}

function all(text, pattern) {
  return [...text.matchAll(new RegExp(pattern, 'gm'))]
}

function readCalls(text) {
  const calls = new Map()
  const head = new RegExp(`^ \\(func ${NAME}`)
  const call = new RegExp(`\\((?:return_call|call|ref\\.func) ${NAME}`, 'g')
  let callees
  for (const line of text.split('\n')) {
    if (/^ \(/.test(line)) {
      const begun = head.exec(line)
      callees = begun === null ? undefined : new Set()
      if (begun !== null) calls.set(plain(begun[1]), callees)
    }
    if (callees === undefined) continue
    for (const [, callee] of line.matchAll(call)) callees.add(plain(callee))
  }
  return calls
}

function readElements(text) {
  const segments = /^ \(elem \$(\S+) (?:\(table \$\S+\) )?\(i32\.const (\d+)\)(?: func)? (.*)\)$/gm
  return [...text.matchAll(segments)].map(([, name, offset, functions]) => ({
    name,
    offset: Number(offset),
    functions: all(functions, NAME).map(([, each]) => plain(each)),
  }))
}

/** The closures that an import of the glue makes of exports. */
function mentioned(glue, name, functions) {
  const start = glue.indexOf(`\n        ${name}: function(`)
  if (start < 0) throw new Error(`split: the glue has no ${name}`)
  const words = new Set(glue.slice(start, glue.indexOf('\n        },', start)).match(/[\w$]+/g))
  return [...functions]
    .filter(([exported]) => CLOSURE.test(exported) && words.has(exported))
    .map(([, target]) => target)
}

/** The bytes of data that only late code names, as ranges in order. What nobody names is the core's. */
function rangesOf(data, reached) {
  const ranges = []
  let free = 0
  const ordered = data.toSorted((left, right) => left.from - right.from)
  for (const piece of ordered) {
    const from = Math.max(piece.from, free)
    free = Math.max(free, piece.to)
    if (reached.has(piece)) continue
    // Pieces overlap where one string ends as another one does.
    const held = ordered.filter((each) => reached.has(each) && each.from < piece.to && each.to > from)
    if (from >= piece.to || held.length > 0) continue
    const last = ranges.at(-1)
    if (last?.to === from) last.to = piece.to
    else ranges.push({ from, to: piece.to })
  }
  return ranges
}

/** A name as the program has it; in the text it may be quoted. */
function plain(name) {
  if (!name.startsWith('"')) return name
  const bytes = name.slice(1, -1).replace(/\\([0-9a-f]{2}|.)/g, (_, code) => {
    return code.length === 2 ? String.fromCharCode(Number.parseInt(code, 16)) : code
  })
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

function reach(needs, roots, wanted) {
  const reached = new Set()
  const next = roots.filter(wanted)
  while (next.length > 0) {
    const each = next.pop()
    if (reached.has(each)) continue
    reached.add(each)
    for (const needed of needs(each)) if (wanted(needed)) next.push(needed)
  }
  return reached
}

function cutCore(binaryen, core, program) {
  const { elements, exported, isLate, late, entered, used, functionTable, tables } = program
  for (const { name, target } of exported) if (isLate(target)) core.removeExport(name)
  placeElements(core, elements, functionTable, 'core', (name) => !isLate(name))
  core.addTable(TABLE, entered.length, entered.length)
  const slots = new Map(entered.map((name, slot) => [name, slot]))
  for (const name of late) {
    const { params, results } = binaryen.getFunctionInfo(core.getFunction(name))
    core.removeFunction(name)
    if (!slots.has(name)) continue
    const operands = binaryen.expandType(params).map((type, index) => core.local.get(index, type))
    const slot = core.i32.const(slots.get(name))
    core.addFunction(name, params, results, [], core.call_indirect(TABLE, slot, operands, params, results))
  }
  // Exports take up four times the room.
  core.addTable(USED, used.length, used.length)
  core.addActiveElementSegment(USED, USED, used, core.i32.const(0))
  core.addTableExport(USED, USED)
  for (const [index, name] of [...tables, TABLE].entries()) core.addTableExport(name, `t${index}`)
  core.addGlobalExport('__stack_pointer', 'sp')
  cutData(core, program)
}

/** The optimiser leaves out what is zero. */
function cutData(core, { segments, lateData }) {
  const kept = segments.map(({ address, bytes }) => {
    const data = new Uint8Array(bytes)
    for (const { from, to } of lateData) data.fill(0, Math.max(from - address, 0), Math.max(to - address, 0))
    return { offset: core.i32.const(address), data, passive: false }
  })
  const { initial } = core.getMemoryInfo(MEMORY)
  core.setMemory(initial, -1, null, kept, false, false, MEMORY)
}

function cutLate(binaryen, rest, program) {
  const { elements, exported, isLate, early, entered, used, functionTable, tables, segments, lateData } =
    program
  for (const { name, target } of exported) if (!isLate(target)) rest.removeExport(name)
  const index = new Map(used.map((name, place) => [name, place]))
  // Of a removed function nothing may be left in a table.
  for (const { name } of elements) rest.removeElementSegment(name)
  for (const name of early) {
    const { params, results } = binaryen.getFunctionInfo(rest.getFunction(name))
    rest.removeFunction(name)
    if (index.has(name)) rest.addFunctionImport(name, CORE, String(index.get(name)), params, results)
  }
  const data = lateData.flatMap(({ from, to }) => {
    const held = segments.find(({ address, bytes }) => address <= from && to <= address + bytes.length)
    if (held === undefined) return []
    const bytes = new Uint8Array(held.bytes.subarray(from - held.address, to - held.address))
    return [{ offset: rest.i32.const(from), data: bytes, passive: false }]
  })
  // Memory is the core's.
  rest.setMemory(1, -1, null, data, false, false, MEMORY)
  rest.addMemoryImport(MEMORY, CORE, 'memory')
  rest.addTable(TABLE, entered.length, entered.length)
  for (const [place, name] of [...tables, TABLE].entries()) rest.addTableImport(name, CORE, `t${place}`)
  rest.addGlobalImport('__stack_pointer', CORE, 'sp', binaryen.i32, true)
  placeRuns(rest, elements, functionTable, 'late', isLate)
  rest.addActiveElementSegment(TABLE, 'entered', entered, rest.i32.const(0))
}

function placeElements(module, elements, table, prefix, keep) {
  for (const { name } of elements) module.removeElementSegment(name)
  placeRuns(module, elements, table, prefix, keep)
}

/** Functions keep their slots: what the other part holds is a gap between two segments. */
function placeRuns(module, elements, table, prefix, keep) {
  let count = 0
  const place = (functions, offset) => {
    if (functions.length > 0)
      module.addActiveElementSegment(table, `${prefix}${count++}`, functions, module.i32.const(offset))
  }
  for (const { offset, functions } of elements) {
    let run = []
    functions.forEach((name, index) => {
      if (keep(name)) {
        run.push(name)
      } else {
        place(run, offset + index - run.length)
        run = []
      }
    })
    place(run, offset + functions.length - run.length)
  }
}
