import { defineConfig } from 'tsup'

export default defineConfig({
  entry: { index: 'src/index.ts', 'argon2-worker': 'src/keys/argon2-worker.js' },
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  dts: { entry: { index: 'src/index.ts' } },
  shims: true,
  sourcemap: true,
  clean: true,
})
