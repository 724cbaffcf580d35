import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ROOT, run } from './process.mjs'

/** The modules that the package exports, and its command. */
const ENTRIES = {
  index: 'ts/index.ts',
  slim: 'ts/slim.ts',
  tracker: 'ts/tracker/index.ts',
  collector: 'ts/collector/index.ts',
}
const COMMAND = { cli: 'ts/cli/index.ts' }

/** Bundles the published modules; `dist` is replaced as a whole, so that nobody reads half of it. */
export async function buildDist() {
  const next = join(ROOT, `dist.${process.pid}`)
  try {
    await bundleModules(next)
    await bundleCommonJs(join(next, 'cjs'))
    declareTypes(next)
    rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
    renameSync(next, join(ROOT, 'dist'))
  } finally {
    rmSync(next, { recursive: true, force: true })
  }
}

async function bundleModules(outdir) {
  await bundle({ entryPoints: { ...ENTRIES, ...COMMAND }, outdir, minify: true })
  chmodSync(join(outdir, 'cli.js'), 0o755)
}

/**
 * esbuild shares code between entries only in ES modules. So the same modules are bundled once more under the
 * names of CommonJS files, and each file is then translated by itself: `require('headwater')` and
 * `require('headwater/tracker')` find the same classes.
 */
async function bundleCommonJs(outdir) {
  const { transform } = await import('esbuild')
  await bundle({ entryPoints: ENTRIES, outdir, outExtension: { '.js': '.cjs' } })
  for (const file of readdirSync(outdir, { recursive: true })) {
    if (!file.endsWith('.cjs')) continue
    const path = join(outdir, file)
    const { code } = await transform(readFileSync(path, 'utf8'), {
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      minify: true,
      // Where modules are run by somebody else, as in Jest, `import()` is often refused; `require` never is.
      supported: { 'dynamic-import': false },
      define: { 'import.meta.url': 'importMetaUrl' },
      banner: `'use strict';const importMetaUrl=require('node:url').pathToFileURL(__filename).href;`,
    })
    writeFileSync(path, code)
  }
  writeFileSync(join(outdir, 'package.json'), '{ "type": "commonjs" }\n')
}

async function bundle(options) {
  const { build } = await import('esbuild')
  await build({
    absWorkingDir: ROOT,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    packages: 'external',
    chunkNames: 'chunks/[name]-[hash]',
    legalComments: 'none',
    logLevel: 'warning',
    ...options,
  })
}

/** The declarations, with the suffixes that a reader of the published package resolves; CommonJS gets its own. */
function declareTypes(dist) {
  const types = join(dist, 'types')
  run('tsc', ['-p', 'tsconfig.build.json', '--outDir', types])
  const generated = join(ROOT, 'ts', 'generated')
  mkdirSync(join(types, 'generated'), { recursive: true })
  for (const file of readdirSync(generated)) {
    if (file.endsWith('.d.ts')) cpSync(join(generated, file), join(types, 'generated', file))
  }
  for (const file of readdirSync(types, { recursive: true })) {
    if (!file.endsWith('.d.ts')) continue
    const path = join(types, file)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replace(/((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2'))
  }
  cpSync(types, join(dist, 'cjs', 'types'), { recursive: true })
}
