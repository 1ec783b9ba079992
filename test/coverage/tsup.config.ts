import { defineConfig } from 'tsup'

/** The check as a program: it starts vitest, and cannot run in it. */
export default defineConfig({
  entry: ['test/coverage/main.ts'],
  outDir: 'test/coverage/build',
  format: 'esm',
  target: 'node20',
  silent: true,
  skipNodeModulesBundle: true,
})
