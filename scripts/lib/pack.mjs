import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compress } from 'lzma1'
import { ROOT, run } from './process.mjs'

/** The strongest that there is. */
const LEVEL = 9

/** Bytes by LZMA, in base64: what that costs is then within one percent, gzipped. ts/native/unpack.ts undoes it. */
export function pack(bytes) {
  return Buffer.from(compress(bytes, LEVEL)).toString('base64')
}

/** The wasm that undoes it, in base64. */
export function unpacker() {
  const wasm = join(tmpdir(), `unpack.${process.pid}.wasm`)
  run('wasm-opt', ['--mvp-features', '-Oz', join(ROOT, 'scripts', 'lib', 'unpack.wat'), '-o', wasm])
  const bytes = readFileSync(wasm)
  rmSync(wasm)
  return bytes.toString('base64')
}
