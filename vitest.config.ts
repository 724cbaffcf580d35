import { defineConfig } from 'vitest/config'

// One project a suite, so that `--project` picks one. What drives a browser or runs a packer takes its files
// one after another: two cores are shared with the browser.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'ts', include: ['tests/ts/**/*.test.ts'], environment: 'node', testTimeout: 20_000 } },
      { test: { name: 'e2e', include: ['tests/e2e/**/*.test.ts'], ...slow(180_000) } },
      { test: { name: 'packaging', include: ['tests/packaging/*.test.ts'], ...slow(300_000) } },
      { test: { name: 'soak', include: ['tests/soak/**/*.test.ts'], ...slow(3_600_000) } },
    ],
  },
})

function slow(milliseconds: number): { fileParallelism: false; testTimeout: number; hookTimeout: number } {
  return { fileParallelism: false, testTimeout: milliseconds, hookTimeout: milliseconds }
}
