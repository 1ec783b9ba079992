import { defineConfig } from 'tsup'

/** The fuzzer as a program: it runs for hours, which no test runner is made for. */
export default defineConfig({
  entry: ['test/fuzz/main.ts'],
  outDir: 'test/fuzz/build',
  format: 'esm',
  target: 'node20',
  silent: true,
  // Vectors are found from where the sources are.
  esbuildOptions(options) {
    options.define = { 'import.meta.url': JSON.stringify(new URL('main.ts', import.meta.url).href) }
  },
})
