import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './process.mjs'

const STRICT = ['--', '-D', 'warnings']

/** The checks of the suite `lint`; each counts as one test. */
const LINTS = {
  rustfmt: ['cargo', 'fmt', '--check'],
  clippy: ['cargo', 'clippy', '--quiet', '--all-targets', '--features', 'collector', ...STRICT],
  'clippy, page': [
    'cargo',
    'clippy',
    '--quiet',
    '--all-targets',
    '--target',
    'wasm32-unknown-unknown',
    ...STRICT,
  ],
  'clippy, collector': [
    ...['cargo', 'clippy', '--quiet', '--target', 'wasm32-unknown-unknown'],
    ...['--no-default-features', '--features', 'collector', ...STRICT],
  ],
  rustdoc: ['cargo', 'doc', '--quiet', '--no-deps', '--features', 'collector'],
  biome: ['biome', 'ci', '--colors=off'],
  tsc: ['tsc', '--noEmit'],
  'tsc, what is published': ['tsc', '-p', 'tsconfig.build.json', '--noEmit'],
}

const FIREFOX_DRIVER = join(ROOT, 'scripts', 'lib', 'firefox-driver.mjs')

/** The programs that need a browser, in a page and in a worker. */
const IN_BROWSERS = ['--', '--test', 'web', '--test', 'web_worker']

/**
 * Every suite: what of the build it needs, the time it may take, its commands, and how its tests are counted.
 * `npm test` runs them in this order, but for those that are only run by name.
 */
export const SUITES = {
  lint: {
    needs: ['page', 'collector'],
    minutes: 5,
    commands: Object.entries(LINTS).map(([name, command]) => ({ name, command, count: countCommand })),
    env: { RUSTDOCFLAGS: '-D warnings' },
  },
  size: {
    needs: ['page', 'collector', 'dist'],
    minutes: 1,
    commands: [{ command: ['node', 'scripts/size.mjs', '--built'], count: countCommand }],
  },
  rust: {
    needs: [],
    minutes: 5,
    commands: [{ command: ['cargo', 'test', '--features', 'collector'], count: countCargo }],
  },
  wasm: {
    needs: [],
    minutes: 6,
    // For a whole program of tests.
    env: { WASM_BINDGEN_TEST_TIMEOUT: '90' },
    commands: [
      { command: ['wasm-pack', 'test', '--headless', '--chrome'], count: countCargo },
      {
        name: 'wasm, Firefox',
        command: [
          'wasm-pack',
          'test',
          '--headless',
          '--firefox',
          '--geckodriver',
          FIREFOX_DRIVER,
          ...IN_BROWSERS,
        ],
        count: countCargo,
      },
      // Without a browser's storage, channel and locks: what a server or a bundler's first look meets.
      { command: ['wasm-pack', 'test', '--node', '--', '--test', 'web_node'], count: countCargo },
    ],
  },
  // By hand: what it needs of the system is large. Named Safari's driver, the runner drives what speaks the same.
  webkit: {
    byName: true,
    needs: [],
    minutes: 6,
    env: {
      WASM_BINDGEN_TEST_ONLY_WEB: '1',
      WASM_BINDGEN_TEST_TIMEOUT: '90',
      SAFARIDRIVER: '/usr/bin/WebKitWebDriver',
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: 'wasm-bindgen-test-runner',
    },
    commands: [
      {
        command: [
          'xvfb-run',
          '-a',
          'cargo',
          'test',
          '--target',
          'wasm32-unknown-unknown',
          ...IN_BROWSERS.slice(1),
        ],
        count: countCargo,
      },
    ],
  },
  ts: { needs: ['page', 'collector', 'dist'], minutes: 2, commands: [vitest('ts')] },
  e2e: { needs: ['page', 'collector', 'dist', 'demo'], minutes: 8, commands: [vitest('e2e')] },
  packaging: { needs: ['page', 'collector', 'dist'], minutes: 3, commands: [vitest('packaging')] },
  soak: {
    byName: true,
    needs: ['page', 'collector', 'dist', 'demo'],
    minutes: 180,
    env: { PROPTEST_CASES: '20000', HEADWATER_SOAK: '1' },
    commands: [
      { command: ['cargo', 'test', '--release', '--features', 'collector'], count: countCargo },
      ...Array.from({ length: 5 }, () => vitest('e2e')),
    ],
  },
}

function vitest(project) {
  const report = join('test-results', `${project}.json`)
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  return {
    command: ['vitest', 'run', '--project', project, ...reporters],
    count: (result) => countVitest(result, join(ROOT, report)),
    report: join(ROOT, report),
  }
}

/** One command, one test. */
function countCommand({ status }) {
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

/** Cargo's test programs, and wasm-bindgen's, end with one line each. */
export function countCargo({ status, output }) {
  const counts = { passed: 0, failed: 0 }
  for (const [, passed, failed] of output.matchAll(/^test result: .*?(\d+) passed; (\d+) failed/gm)) {
    counts.passed += Number(passed)
    counts.failed += Number(failed)
  }
  return atLeastOneFailure(counts, status)
}

function countVitest({ status }, report) {
  if (!existsSync(report)) return { passed: 0, failed: 1 }
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
  // A file that cannot be loaded, or whose hooks fail, has no failed test of its own.
  const broken = testResults.filter(
    ({ status: outcome, assertionResults }) =>
      outcome === 'failed' && !assertionResults.some(({ status }) => status === 'failed'),
  )
  return atLeastOneFailure({ passed: numPassedTests, failed: numFailedTests + broken.length }, status)
}

/** A run that failed in a way that its counts do not show, or that tested nothing, is a failure all the same. */
function atLeastOneFailure({ passed, failed }, status) {
  const silent = failed === 0 && (status !== 0 || passed === 0)
  return { passed, failed: silent ? 1 : failed }
}
