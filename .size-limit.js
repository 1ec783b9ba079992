/**
 * What is imported when it is needed counts when it is needed.
 *
 * @type {import('esbuild').Plugin}
 */
const atOnce = {
  name: 'at once',
  setup(build) {
    build.onResolve({ filter: /./ }, ({ kind }) => (kind === 'dynamic-import' ? { external: true } : undefined))
  },
}

/** @param {import('esbuild').BuildOptions} config @returns {import('esbuild').BuildOptions} */
function forNode(config) {
  return { ...config, platform: 'node', format: 'esm', target: 'node20', plugins: [atOnce] }
}

const core = { path: 'dist/index.js', gzip: true, modifyEsbuildConfig: forNode }

export default [
  { ...core, name: 'import of sealfile, its own code', ignore: ['@noble/ciphers', '@noble/hashes'], limit: '45 kB' },
  { ...core, name: 'import of sealfile, with all that it imports', limit: '60 kB' },
]
