import { defineConfig } from 'tsup'

/** The benches run the sources, bundled; layers that the package does not export are measured, too. */
export default defineConfig({
  entry: {
    main: 'bench/main.ts',
    memory: 'bench/memory.ts',
    'batch-memory': 'bench/batch-memory.ts',
    'open-handles': 'bench/open-handles.ts',
    'argon2-worker': 'src/keys/argon2-worker.js',
    'batch-worker': 'src/batch/batch-worker.ts',
  },
  outDir: 'bench/build',
  format: 'esm',
  target: 'node20',
  platform: 'node',
  splitting: true,
  silent: true,
  clean: ['!results.json'],
  // Peers and what draws charts are found where they are installed.
  skipNodeModulesBundle: true,
})
