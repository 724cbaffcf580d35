import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { build, createServer } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import webpack from 'webpack'
import { Installed, ROOT, resultIn, served } from './harness.ts'

const MEGABYTE = 1_000_000
const ROUND_TRIP = { received: 'hello', tracker: 'function' }

let installed: Installed

beforeAll(() => {
  installed = Installed.make()
})
afterAll(() => installed?.remove())

describe('the tarball', () => {
  test('holds what is published', () => {
    const wanted = [
      ...['dist/index.js', 'dist/slim.js', 'dist/tracker.js', 'dist/collector.js', 'dist/cli.js'],
      ...[
        'dist/cjs/index.cjs',
        'dist/cjs/package.json',
        'dist/types/index.d.ts',
        'dist/cjs/types/index.d.ts',
      ],
      ...['pkg/headwater.js', 'pkg/headwater_bg.wasm', 'docs/protocol.md', 'docs/tracking.md'],
      ...['README.md', 'CHANGELOG.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'package.json'],
    ]
    expect(installed.files).toEqual(expect.arrayContaining(wanted))
  })

  test('holds nothing else', () => {
    const folders = /^(dist|pkg)\/|^docs\/\w[\w-]*\.(md|svg)$|^[A-Z-]+(\.md)?$|^package\.json$/
    expect(installed.files.filter((file) => !folders.test(file))).toEqual([])
    expect(installed.files.filter((file) => /(^|\/)\.|\.test\.|\.inputs$/.test(file))).toEqual([])
  })

  test('holds wasm that compiles', async () => {
    const wasm = readFileSync(join(installed.folder, 'node_modules', 'headwater', 'pkg', 'headwater_bg.wasm'))
    expect(WebAssembly.Module.exports(await WebAssembly.compile(wasm)).length).toBeGreaterThan(0)
  })

  test('has a package.json that tools agree with', async () => {
    const pkgDir = join(installed.folder, 'node_modules', 'headwater')
    const { messages, pkg } = await publint({ pkgDir, strict: true, pack: false })
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
  })

  test('has types that fit its modules, however they are found', async () => {
    const tarball = createPackageFromTarballData(new Uint8Array(readFileSync(installed.tarball)))
    // An artifact is asked for by its address; there are no types of it.
    const excludeEntrypoints = ['./headwater.wasm', './collector.wasm']
    const checked = await checkPackage(tarball, { excludeEntrypoints })
    expect(checked).toMatchObject({ types: { kind: 'included' }, problems: [] })
  })

  test('has no `any` in its declarations', () => {
    const types = installed.files.filter((file) => /^dist\/types\/(?!generated\/).*\.d\.ts$/.test(file))
    expect(types.length).toBeGreaterThan(20)
    const folder = join(installed.folder, 'node_modules', 'headwater')
    for (const file of types) {
      const code = readFileSync(join(folder, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
      expect(/\bany\b/.test(code), file).toBe(false)
    }
  })

  test('holds CommonJS that runs where import() is refused', () => {
    const dist = join(installed.folder, 'node_modules', 'headwater', 'dist', 'cjs')
    const files = installed.files.filter((file) => /^dist\/cjs\/.*\.cjs$/.test(file))
    expect(files.length).toBeGreaterThan(4)
    for (const file of files) {
      const text = readFileSync(join(dist, file.slice('dist/cjs/'.length)), 'utf8')
      expect(/\bimport\(/.test(text), file).toBe(false)
    }
  })

  test('is light for a page', () => {
    const page = installed.measure(['optional', 'peer'])
    const server = installed.measure([])
    console.log(
      `install: ${(page / MEGABYTE).toFixed(1)} MB for a page, ${(server / MEGABYTE).toFixed(1)} MB with all that ` +
        `servers may use; tarball ${(installed.tarballBytes / MEGABYTE).toFixed(2)} MB`,
    )
    expect(page).toBeLessThan(3 * MEGABYTE)
  })
})

describe('the API reference', () => {
  test('is made of the doc comments, without a warning', () => {
    execFileSync('node', [join(ROOT, 'scripts', 'docs.mjs')], { stdio: 'pipe' })
    expect(readFileSync(join(ROOT, 'docs', 'api', 'modules.html'), 'utf8')).toContain('collector')
  })
})

describe('Node.js', () => {
  const expected = { entries: ['function', 'function', 'function', 'function'], received: ['1', '2', '3'] }

  test('imports it, produces and consumes', () => expect(installed.node('esm.mjs')).toEqual(expected))
  test('requires it, produces and consumes', () => expect(installed.node('commonjs.cjs')).toEqual(expected))
  test('starts nothing when it imports', () => expect(installed.node('silent.mjs')).toEqual([]))

  test('finds the command', () => {
    const command = join(installed.folder, 'node_modules', '.bin', 'headwater')
    expect(execFileSync(command, ['--help'], { encoding: 'utf8' })).toContain('collect')
  })
})

describe('TypeScript', () => {
  test.each([
    ['an ES module', 'consumer.mts', 'nodenext'],
    ['a CommonJS module', 'consumer.cts', 'nodenext'],
    ['a module of a bundler', 'consumer.mts', 'bundler'],
  ])('checks %s', (_, file, resolution) => {
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc')
    const module = resolution === 'bundler' ? 'esnext' : resolution
    const options = [
      '--noEmit',
      '--strict',
      '--ignoreConfig',
      '--target',
      'es2022',
      '--lib',
      'es2022,esnext.disposable,dom,dom.iterable',
    ]
    execFileSync(
      tsc,
      [...options, '--module', module, '--moduleResolution', resolution, '--types', '', file],
      {
        cwd: installed.folder,
        stdio: 'inherit',
      },
    )
  })
})

describe('a page', () => {
  test('bundled by webpack runs in Chromium', async () => {
    await bundleWithWebpack(installed.folder, 'webpack-dist')
    copyFileSync(join(installed.folder, 'index.html'), join(installed.folder, 'webpack-dist', 'index.html'))
    expect(await served(installed.folder, 'webpack-dist', resultIn)).toEqual(ROUND_TRIP)
  })

  test('bundled by Vite runs in Chromium', async () => {
    await bundleWithVite('index.html')
    expect(await served(installed.folder, 'vite-dist', resultIn)).toEqual(ROUND_TRIP)
  })

  test('that brings the wasm by its address runs in Chromium', async () => {
    await bundleWithVite('slim.html')
    const look = (url: string) => resultIn(`${url}slim.html`)
    expect(await served(installed.folder, 'vite-dist', look)).toEqual(['slim'])
  })

  test("served by Vite's development server runs in Chromium", async () => {
    const server = await createServer({ root: installed.folder, configFile: false, logLevel: 'error' })
    try {
      await server.listen()
      expect(await resultIn(server.resolvedUrls?.local[0] ?? '')).toEqual(ROUND_TRIP)
    } finally {
      await server.close()
    }
  })
})

async function bundleWithVite(page: string): Promise<void> {
  const root = installed.folder
  const options = { outDir: 'vite-dist', emptyOutDir: true, rolldownOptions: { input: join(root, page) } }
  await build({ root, configFile: false, logLevel: 'warn', build: options })
}

function bundleWithWebpack(folder: string, out: string): Promise<void> {
  const compiler = webpack({
    mode: 'production',
    context: folder,
    entry: './page.js',
    output: { path: join(folder, out), filename: 'page.js' },
  })
  return new Promise((resolve, reject) => {
    compiler.run((error, stats) => {
      compiler.close(() => undefined)
      if (error) reject(error)
      else if (stats?.hasErrors() || stats?.hasWarnings())
        reject(new Error(stats.toString('errors-warnings')))
      else resolve()
    })
  })
}
