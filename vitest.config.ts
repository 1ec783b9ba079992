import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    // All cores: nothing that is measured here decides whether a test passes.
    maxWorkers: '100%',
    coverage: { include: ['src/**'], reporter: ['text-summary', 'html'] },
  },
})
