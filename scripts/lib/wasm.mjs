import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { shortNames } from './names.mjs'
import { pack, unpacker } from './pack.mjs'
import { ROOT, run } from './process.mjs'
import { renamed, withoutSections } from './sections.mjs'
import { split } from './split.mjs'

// What counts is the size after gzip, so nothing is inlined: repeated code compresses well, and inlined code does
// not (7 kB less, measured). Functions are ordered by name for the same reason. Rust's stack begins at address 0, so
// the first kilobyte is in use only where the stack has all but overflowed.
const SMALL = [
  '--low-memory-unused',
  ...['-aimfs', '0', '-ocimfs', '0', '-fimfs', '0'],
  ...[
    '--flatten',
    '--rereloop',
    '-Oz',
    '-Oz',
    '--reorder-locals',
    '--reorder-functions-by-name',
    '--reorder-types',
  ],
]

// What a page needs only once it consumes, forwards or administers. It is entered by the functions that src/node/late.rs
// tells of, with the tasks that they start, and by what no producer calls of the exports. Names are as the compiler
// mangles them.
export const GATES =
  /\d+late_\w|^consumer_|^__wbg_consumer_free|^node_(?!close|closing|complete|flush|hidden|incomplete|online|open|partitions|resume|send|storage|suspend|visible)/

// A page has no room for what a panic would say, nor for the standard library's code for speed: a panic traps at once. That
// takes a standard library of our own, which no stable release of the compiler makes without being asked by this variable.
export const LEAN = {
  options: ['-Zbuild-std=std,panic_abort', '-Zbuild-std-features=optimize_for_size'],
  flags:
    '-Zunstable-options -Cpanic=immediate-abort -Csymbol-mangling-version=legacy -Clink-arg=--emit-relocs',
  env: { RUSTC_BOOTSTRAP: '1' },
}

/** The two wasm artifacts of the crate: what a page loads, and what a collector loads. */
const ARTIFACTS = {
  page: {
    folder: 'pkg',
    name: 'headwater',
    features: [],
    level: 'z',
    passes: SMALL,
    gates: GATES,
    lean: LEAN,
  },
  collector: {
    folder: 'pkg/collector',
    name: 'collector',
    features: ['--no-default-features', '--features', 'collector'],
    level: '3',
    passes: ['-O3'],
  },
}

// Named one by one: with "all features" the optimiser writes encodings that released engines refuse.
const WASM_FEATURES = [
  '--mvp-features',
  '--enable-bulk-memory',
  '--enable-bulk-memory-opt',
  '--enable-mutable-globals',
  '--enable-sign-ext',
  '--enable-nontrapping-float-to-int',
  '--enable-reference-types',
  '--enable-multivalue',
]

const GENERATED = join(ROOT, 'ts', 'generated')

/** Compiles one artifact and the TypeScript modules that hold it; answers whether there was anything to do. */
export async function buildWasm(artifact) {
  const { folder, name, features, level, passes, gates, lean } = ARTIFACTS[artifact]
  const stamp = join(GENERATED, `${artifact}.inputs`)
  const inputs = hashOfInputs()
  const wasm = join(ROOT, folder, `${name}_bg.wasm`)
  if (existsSync(stamp) && existsSync(wasm) && readFileSync(stamp, 'utf8') === inputs) return false
  rmSync(stamp, { force: true })
  // No .gitignore: the one that wasm-pack writes would empty the published folder.
  const options = [
    '--target',
    'web',
    '--release',
    '--mode',
    'no-install',
    '--no-pack',
    '--no-opt',
    '--no-gitignore',
  ]
  const crate = ['--out-dir', folder, '--out-name', name, '.']
  run('wasm-pack', ['build', ...options, ...crate, '--', ...features, ...(lean?.options ?? [])], {
    // Parts are told by the names of their functions, and by what the linker knows.
    env: {
      ...lean?.env,
      RUSTFLAGS: [withoutHome(), lean?.flags].join(' '),
      CARGO_PROFILE_RELEASE_OPT_LEVEL: level,
      CARGO_PROFILE_RELEASE_STRIP: 'debuginfo',
    },
  })
  mkdirSync(GENERATED, { recursive: true })
  const script = join(ROOT, folder, `${name}.js`)
  const bound = withoutSections(readFileSync(wasm), /^(linking|reloc\.)/)
  const glue = readFileSync(script, 'utf8')
  const names = shortNames(bound, glue)
  writeFileSync(script, names.glue)
  // It tells of the long names.
  rmSync(`${wasm}.d.ts`)
  await writeGlue(artifact, join(ROOT, folder), name)
  writeFileSync(wasm, renamed(bound, names))
  optimise(wasm, passes)
  if (gates === undefined) writeDeflated(`${artifact}-wasm`, wasm)
  else await writeParts(artifact, { linked: readFileSync(linked()), bound, glue, gates }, names, passes)
  writeFileSync(stamp, inputs)
  return true
}

/** Panics name the file that they come from: not with the folders of this machine. */
function withoutHome() {
  const cargo = process.env.CARGO_HOME ?? join(homedir(), '.cargo')
  const std = join(run('rustc', ['--print', 'sysroot']).trim(), 'lib', 'rustlib', 'src', 'rust')
  const prefixes = { [join(cargo, 'registry', 'src')]: 'crates', [std]: 'rust' }
  return Object.entries(prefixes)
    .map(([from, to]) => `--remap-path-prefix=${from}=${to}`)
    .join(' ')
}

/** What cargo has made, for wasm-bindgen to work on. */
function linked() {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target')
  return join(target, 'wasm32-unknown-unknown', 'release', 'headwater.wasm')
}

function optimise(wasm, passes) {
  const optimised = `${wasm}.opt`
  run('wasm-opt', ['--strip-debug', '--strip-producers', ...WASM_FEATURES, ...passes, wasm, '-o', optimised])
  renameSync(optimised, wasm)
}

/**
 * wasm-bindgen's glue keeps its one instance in module scope. A trapped instance has to be replaced by a new one,
 * so the glue becomes a function, and every call of it has a scope of its own.
 */
async function writeGlue(artifact, folder, name) {
  const { build } = await import('esbuild')
  const script = readFileSync(join(folder, `${name}.js`), 'utf8')
  const bundle = await build({
    stdin: { contents: ofText(startedByModule(script)), resolveDir: folder },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'glue',
    target: 'es2022',
    define: {
      // The caller always says where the wasm is; an address here would make bundlers look for a file.
      'import.meta.url': '""',
      // The caller may look at what crosses the boundary.
      'WebAssembly.instantiate': 'instantiate',
    },
  })
  const [file] = bundle.outputFiles
  const head = 'export function createGlue(instantiate = WebAssembly.instantiate) {'
  write(`${artifact}-glue.js`, `${head}\n${file.text}return glue\n}\n`)
  copyFileSync(join(folder, `${name}.d.ts`), join(GENERATED, `${artifact}-bindings.d.ts`))
  const types = [
    `import type * as bindings from './${artifact}-bindings.js'`,
    '',
    '/** One copy of the glue between JavaScript and the wasm, with an instance of its own. */',
    'export type Glue = typeof bindings',
    '/** How the wasm is instantiated; default: `WebAssembly.instantiate`. */',
    'export type Instantiate = (',
    '  module: WebAssembly.Module,',
    '  imports: WebAssembly.Imports,',
    ') => Promise<WebAssembly.Instance | WebAssembly.WebAssemblyInstantiatedSource>',
    '/** Makes a copy that has no instance yet. */',
    'export declare function createGlue(instantiate?: Instantiate): Glue',
    '',
  ]
  write(`${artifact}-glue.d.ts`, types.join('\n'))
}

/** The glue knows many ways to come by a wasm; this is all that remains of them. */
function startedByModule(script) {
  const start = [
    'async function start(module) {',
    '  const started = await WebAssembly.instantiate(module, __wbg_get_imports())',
    '  return __wbg_finalize_init(started.instance, module)',
    '}',
    'export { start as default }',
  ]
  const known = /^export \{ initSync, __wbg_init as default \};?$/m
  if (!known.test(script)) throw new Error('the glue is started in another way than it was')
  return script.replace(known, start.join('\n'))
}

/** What is no text would be written to the wasm's memory, wherever that ends: whoever passes it is told instead. */
function ofText(script) {
  const known = /^function passStringToWasm0\(arg, malloc, realloc\) \{$/m
  if (!known.test(script)) throw new Error('text is passed in another way than it was')
  const check = "    if (typeof arg !== 'string') throw new TypeError('text was expected, not ' + typeof arg)"
  return script.replace(known, (start) => `${start}\n${check}`)
}

/** The parts are optimised each by itself, and written as `<artifact>-core` and `<artifact>-late`. */
async function writeParts(artifact, program, names, passes) {
  for (const [part, bytes] of Object.entries(await split(program))) {
    const path = join(GENERATED, `${artifact}-${part}.wasm`)
    writeFileSync(path, renamed(bytes, names))
    optimise(path, passes)
    const packed = [
      `/** The wasm by LZMA, in base64. */\nexport const packed: string =\n  '${pack(readFileSync(path))}'\n`,
    ]
    if (part === 'core')
      packed.push(`/** The wasm that unpacks. */\nexport const unpacker: string =\n  '${unpacker()}'\n`)
    write(`${artifact}-${part}.ts`, packed.join(''))
    rmSync(path)
  }
}

/** Deflated before it is encoded: what base64 costs is then within half a percent of the wasm, gzipped. */
function writeDeflated(module, wasm) {
  const deflated = deflateRawSync(readFileSync(wasm), { level: 9, memLevel: 9 }).toString('base64')
  const doc = '/** The wasm, deflated (raw) and in base64. */\n'
  write(`${module}.ts`, `${doc}export const deflated: string =\n  '${deflated}'\n`)
}

function write(file, text) {
  const path = join(GENERATED, file)
  writeFileSync(`${path}.next`, text)
  renameSync(`${path}.next`, path)
}

function hashOfInputs() {
  const hash = createHash('sha256')
  const source = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
  const files = source.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const others = [
    'Cargo.toml',
    'Cargo.lock',
    'rust-toolchain.toml',
    'scripts/lib/wasm.mjs',
    'scripts/lib/linked.mjs',
    'scripts/lib/names.mjs',
    'scripts/lib/sections.mjs',
    'scripts/lib/split.mjs',
    'scripts/lib/pack.mjs',
    'scripts/lib/unpack.wat',
  ].map((file) => join(ROOT, file))
  for (const file of [...files.sort(), ...others.filter(existsSync)])
    hash.update(file.slice(ROOT.length)).update(readFileSync(file))
  return hash.digest('hex')
}
