import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PreviewServer, preview } from 'vite'
import { Browser } from '../e2e/harness/browser.ts'

export const ROOT: string = join(import.meta.dirname, '..', '..')
const FIXTURES = join(import.meta.dirname, 'fixtures')

/** The package as a user has it: packed, and installed into a folder where nothing else is. */
export class Installed {
  private constructor(
    readonly folder: string,
    /** What is in the tarball. */
    readonly files: readonly string[],
    readonly tarballBytes: number,
    /** Where the tarball is. */
    readonly tarball: string,
  ) {}

  static make(): Installed {
    const folder = mkdtempSync(join(tmpdir(), 'headwater-packaging-'))
    const packed = JSON.parse(
      npm(ROOT, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder),
    ) as {
      filename: string
      size: number
      files: { path: string }[]
    }[]
    const [tarball] = packed
    if (tarball === undefined) throw new Error('npm pack packed nothing')
    const files = tarball.files.map(({ path }) => path)
    const installed = new Installed(folder, files, tarball.size, join(folder, tarball.filename))
    installed.installInto(folder)
    cpSync(FIXTURES, folder, { recursive: true })
    return installed
  }

  /** Bytes on disk after an install of this package alone, with or without what only servers need. */
  measure(omit: readonly string[]): number {
    const folder = mkdtempSync(join(tmpdir(), 'headwater-install-'))
    try {
      this.installInto(folder, ...omit.map((kind) => `--omit=${kind}`))
      return bytesOf(join(folder, 'node_modules'))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** Runs Node.js on a fixture, to its end, and answers the last line that it printed, as JSON. */
  node(file: string): unknown {
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
      cwd: this.folder,
      encoding: 'utf8',
      timeout: 30_000,
    })
    if (status !== 0) throw new Error(`${file} ended with ${status}\n${stdout}${stderr}`)
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  private installInto(folder: string, ...options: string[]): void {
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, 'package.json'),
      '{ "name": "packaging", "private": true, "type": "module" }\n',
    )
    npm(folder, 'install', '--no-audit', '--no-fund', '--loglevel=error', ...options, this.tarball)
  }
}

/** Opens a page in Chromium and answers what its promise came to. */
export async function resultIn(url: string): Promise<unknown> {
  const browser = await Browser.start()
  try {
    const complaints: string[] = []
    const page = await browser.tab(url, complaints)
    const result = await page.evaluate(
      () => (globalThis as unknown as { headwater: Promise<unknown> }).headwater,
    )
    if (complaints.length > 0) throw new Error(complaints.join('\n'))
    return result
  } finally {
    await browser.stop()
  }
}

/** Serves a folder that a bundler has written, while the test looks at it. */
export async function served<T>(root: string, outDir: string, look: (url: string) => Promise<T>): Promise<T> {
  const server: PreviewServer = await preview({
    root,
    configFile: false,
    logLevel: 'silent',
    build: { outDir },
  })
  try {
    return await look(server.resolvedUrls?.local[0] ?? '')
  } finally {
    await server.close()
  }
}

function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

function bytesOf(path: string): number {
  const stats = lstatSync(path)
  if (!stats.isDirectory()) return stats.size
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0)
}
