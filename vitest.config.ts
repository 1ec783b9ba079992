import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: 'test/support/build-workers.ts',
    // A worker is no module that vitest could transform.
    alias: [
      { find: /^\.\/start-worker\.js$/, replacement: fileURLToPath(new URL('test/support/start-worker.ts', import.meta.url)) },
    ],
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // All cores: nothing that is measured here decides whether a test passes.
    maxWorkers: '100%',
    coverage: { include: ['src/**'], reporter: ['text-summary', 'html'], thresholds: { lines: 90 } },
  },
})
