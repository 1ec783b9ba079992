import { defineConfig } from 'vitest/config'

const layers = process.env['LAYER'] ?? '{seal,container}'

/** What must notice a mutation of the pure layers: their own tests, and no others. */
export default defineConfig({
  test: { include: [`test/${layers}/**/*.test.ts`], setupFiles: 'test/support/fixed-seed.ts', testTimeout: 120_000 },
})
