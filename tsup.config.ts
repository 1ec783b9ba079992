import { defineConfig, type Options } from 'tsup'

const shared: Options = { target: 'node20', platform: 'node', sourcemap: false }

export default defineConfig([
  {
    ...shared,
    entry: {
      index: 'src/index.ts',
      fs: 'src/fs.ts',
      compat: 'src/compat.ts',
      batch: 'src/batch.ts',
      config: 'src/config.ts',
      providers: 'src/providers.ts',
      'passphrase-policy': 'src/passphrase-policy.ts',
    },
    format: ['esm', 'cjs'],
    dts: true,
    // What several entry points use is there once: an error of the one is an instance of the other's class.
    splitting: true,
    treeshake: true,
    // The builds run at the same time: this one leaves the others' files alone.
    clean: ['!argon2-worker.js', '!batch-worker.js', '!cli.js'],
    esbuildOptions(options, { format }) {
      if (format !== 'cjs') return
      // tsup's own shim makes a URL of the bare path, which a folder such as `c#` breaks.
      options.define = { ...options.define, 'import.meta.url': 'moduleUrl' }
      options.banner = { js: "'use strict';\nconst moduleUrl = require('node:url').pathToFileURL(__filename).href;" }
    },
  },
  {
    ...shared,
    // A worker is a file of its own. An ES module, whichever build starts it.
    entry: { 'argon2-worker': 'src/keys/argon2-worker.js' },
    format: 'esm',
  },
  {
    ...shared,
    entry: { 'batch-worker': 'src/batch/batch-worker.ts' },
    format: 'esm',
    // All that it needs is in it, so that a bundled application needs no more than a copy of it.
    noExternal: [/^@noble\//],
    treeshake: true,
  },
  {
    ...shared,
    // A user of the package like any other: it loads the entry points that a command needs, when it needs them.
    entry: { cli: 'src/cli.ts' },
    format: 'esm',
    external: [/^sealfile(\/|$)/],
    treeshake: true,
  },
])
