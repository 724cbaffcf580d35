import { createRequire } from 'node:module'

// The name of the core's exports in the imports of the late part.
const CORE = 'core'
const TABLE = 'late'

/**
 * Splits a wasm in two: a core, which runs by itself, and a late part, which is loaded when it is needed. Both work on
 * one memory, one stack and the same tables.
 *
 * The core is what can be reached without passing a function whose name matches `gates`, or one that stands in a table
 * and matches `closures`; all else is late. (Other names say little: the compiler makes one of functions that are equal.)
 * Where the core calls a gate, it goes through a slot of a table that the late part fills when it is instantiated with the
 * exports of the core; before that, the call traps. So nothing may enter it earlier: see ts/native/instance.ts.
 *
 * The wasm needs its names; what comes out still has them, and is not optimised.
 */
export async function split(wasm, late) {
  const binaryen = await load()
  binaryen.setDebugInfo(true)
  const core = binaryen.readBinary(wasm)
  const rest = binaryen.readBinary(wasm)
  const program = survey(core.emitText(), late)
  cutCore(binaryen, core, program)
  cutLate(binaryen, rest, program)
  if (!core.validate() || !rest.validate()) throw new Error('split: one of the parts is not valid')
  return { core: core.emitBinary(), late: rest.emitBinary() }
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

/** Who calls whom, what the tables hold, and which functions are late. */
function survey(text, late) {
  const calls = new Map()
  let callees
  for (const line of text.split('\n')) {
    const head = new RegExp(`^ \\(func ${NAME}`).exec(line)
    if (head !== null || /^ \(/.test(line)) callees = head === null ? undefined : new Set()
    if (head !== null) calls.set(plain(head[1]), callees)
    if (callees === undefined) continue
    for (const [, callee] of line.matchAll(new RegExp(`\\((?:return_call|call|ref\\.func) ${NAME}`, 'g')))
      callees.add(plain(callee))
  }
  const segments = [
    ...text.matchAll(/^ \(elem \$(\S+) (?:\(table \$\S+\) )?\(i32\.const (\d+)\)(?: func)? (.*)\)$/gm),
  ]
  const elements = segments.map(([, name, offset, functions]) => ({
    name,
    offset: Number(offset),
    functions: [...functions.matchAll(new RegExp(NAME, 'g'))].map(([, each]) => plain(each)),
  }))
  const exported = [...text.matchAll(new RegExp(`^ \\(export "([^"]+)" \\((\\w+) ${NAME}`, 'gm'))]
  const functions = exported.filter(([, , kind]) => kind === 'func').map(([, , , name]) => plain(name))
  const tables = [...text.matchAll(/^ \(table \$(\S+) .*?(funcref|externref)\)$/gm)]
  const held = elements.flatMap((segment) => segment.functions).filter((name) => !late.closures.test(name))
  const reached = reach(calls, [...functions, ...held], (name) => !late.gates.test(name))
  const isLate = (name) => calls.has(name) && !reached.has(name)
  const calleesOf = (names) => [...new Set(names.flatMap((name) => [...(calls.get(name) ?? [])]))]
  const lateOnes = [...calls.keys()].filter(isLate)
  return {
    calls,
    elements,
    isLate,
    late: lateOnes,
    exports: exported.map(([, name]) => name),
    functionTable: tables.find(([, , type]) => type === 'funcref')[1],
    tables: tables.map(([, name]) => name),
    /** Late functions that the core calls or exports. */
    entered: [...new Set([...calleesOf([...reached]), ...functions])].filter(isLate),
    /** Functions of the core that late ones call. */
    used: calleesOf(lateOnes).filter((name) => calls.has(name) && !isLate(name)),
  }
}

/** A name as the program has it; in the text it may be quoted. */
function plain(name) {
  if (!name.startsWith('"')) return name
  const bytes = name.slice(1, -1).replace(/\\([0-9a-f]{2}|.)/g, (_, code) => {
    return code.length === 2 ? String.fromCharCode(Number.parseInt(code, 16)) : code
  })
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

function reach(calls, roots, wanted) {
  const reached = new Set()
  const next = roots.filter(wanted)
  while (next.length > 0) {
    const name = next.pop()
    if (reached.has(name)) continue
    reached.add(name)
    for (const callee of calls.get(name) ?? []) if (wanted(callee)) next.push(callee)
  }
  return reached
}

function cutCore(binaryen, core, program) {
  const { elements, isLate, late, entered, used, functionTable, tables } = program
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
  for (const [index, name] of used.entries()) core.addFunctionExport(name, `f${index}`)
  for (const [index, name] of [...tables, TABLE].entries()) core.addTableExport(name, `t${index}`)
  core.addGlobalExport('__stack_pointer', 'sp')
}

function cutLate(binaryen, rest, program) {
  const { calls, elements, isLate, entered, used, functionTable, tables, exports } = program
  for (const name of exports) rest.removeExport(name)
  const index = new Map(used.map((name, place) => [name, place]))
  // Of a removed function nothing may be left in a table.
  for (const { name } of elements) rest.removeElementSegment(name)
  for (const name of calls.keys()) {
    if (isLate(name)) continue
    const { params, results } = binaryen.getFunctionInfo(rest.getFunction(name))
    rest.removeFunction(name)
    if (index.has(name)) rest.addFunctionImport(name, CORE, `f${index.get(name)}`, params, results)
  }
  // The data is in memory already, and memory is the core's.
  rest.setMemory(1, -1, null, [], false, false, '0')
  rest.addMemoryImport('0', CORE, 'memory')
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
