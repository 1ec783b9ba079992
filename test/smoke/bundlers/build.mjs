// @ts-nocheck -- a program that is run as it is, and whose only types would be `any`
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * Bundles the application beside this file, which finds the installed package, in the ways that docs/bundlers.md tells, and runs it where
 * nothing is installed.
 *
 * Argument: the folder whose node_modules has the bundlers.
 */

const tools = createRequire(join(process.argv[2], 'package.json'))
const load = (name) => import(pathToFileURL(tools.resolve(name)).href)
const app = fileURLToPath(new URL('app.mjs', import.meta.url))
const dist = fileURLToPath(new URL('dist/', import.meta.resolve('sealfile/package.json')))
const entries = { app, 'argon2-worker': join(dist, 'argon2-worker.js'), 'batch-worker': join(dist, 'batch-worker.js') }
// Only for those who use them.
const external = ['age-encryption', '@napi-rs/keyring', '@zxcvbn-ts/*']

async function runEsbuild(options) {
  const { build } = await load('esbuild')
  await build({ entryPoints: entries, bundle: true, platform: 'node', target: 'node20', logLevel: 'error', external, ...options })
}

async function runWebpack(options) {
  const { default: webpack } = await load('webpack')
  const compiler = webpack({ entry: app, mode: 'production', target: 'node20', ...options })
  const stats = await new Promise((resolve, reject) => {
    compiler.run((error, result) => (error ? reject(error) : resolve(result)))
  })
  assert(!stats.hasErrors(), stats.toString('errors-only'))
}

/** By name: the type of the package that the bundle belongs to, and what puts `app.js` into `folder`. */
const WAYS = {
  'esbuild, ESM': ['module', (folder) => runEsbuild({ format: 'esm', outdir: folder })],
  'esbuild, CommonJS': [
    'commonjs',
    (folder) =>
      runEsbuild({
        format: 'cjs',
        outdir: folder,
        define: { 'import.meta.url': 'moduleUrl' },
        banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href" },
      }),
  ],
  'webpack, CommonJS': ['commonjs', (folder) => runWebpack({ output: { path: folder, filename: 'app.js' } })],
  'webpack, ESM': [
    'module',
    (folder) => runWebpack({ output: { path: folder, filename: 'app.js', module: true }, experiments: { outputModule: true } }),
  ],
  'Vite, SSR': [
    'module',
    async (folder) => {
      const { build } = await load('vite')
      await build({
        configFile: false,
        logLevel: 'error',
        root: fileURLToPath(new URL('.', import.meta.url)),
        ssr: { noExternal: true },
        build: {
          ssr: true,
          outDir: folder,
          rollupOptions: {
            input: entries,
            external: [/^age-encryption$/],
            output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
          },
        },
      })
    },
  ],
}

for (const [name, [type, bundle]] of Object.entries(WAYS)) {
  const folder = mkdtempSync(join(tmpdir(), 'sealfile-bundle-'))
  try {
    await bundle(folder)
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type }))
    const said = execFileSync(process.execPath, ['app.js'], { cwd: folder, encoding: 'utf8' })
    console.log(`${name}: ${said.trim()}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
