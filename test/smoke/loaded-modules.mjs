// @ts-nocheck -- a program that is run as it is, and whose only types would be `any`
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Imports and requires each entry point of the installed package in a process of its own, and looks at what that loads: no other entry
 * point, no package that it does not need, and of our own code only what is its own.
 */

/**
 * What an entry point loads when it is imported: packages, and modules of src/ by the beginnings of their paths, beside those that are common
 * to all that works on files. What is loaded later, when something is called, is not among them.
 */
const NOBLE = ['@noble/ciphers', '@noble/hashes']
const LOADS = {
  '.': { packages: NOBLE, modules: ['keys/'] },
  './fs': { packages: NOBLE, modules: ['fs/', 'keys/purpose'] },
  './batch': { packages: [...NOBLE, 'picomatch'], modules: ['batch/', 'compat/paths', 'compat/target-folder', 'keys/purpose'] },
  './compat': { packages: NOBLE, modules: ['compat/', 'keys/'] },
  './config': { packages: [...NOBLE, 'picomatch', 'valibot'], modules: ['config/', 'keys/'] },
  './providers': { packages: NOBLE, modules: ['providers/', 'keys/'] },
  './passphrase-policy': { packages: [], modules: ['keys/passphrase', 'keys/optional-package'] },
}
const COMMON = /^(bytes|seal|container|file)\/|^[^/]+$/
/** Of the layer of keys, what `sealfile` loads when it is asked for. */
const LATER = /^keys\/(rotation\/|argon2id|calibration|keyring-edits)/

/** Prints the addresses of all files that an import loads. */
const HOOK = `import { writeSync } from 'node:fs'
export async function load(url, context, next) {
  if (url.startsWith('file:')) writeSync(1, url + '\\n')
  return next(url, context)
}`
const REGISTER = `import { register } from 'node:module'
register('data:text/javascript,' + ${JSON.stringify(encodeURIComponent(HOOK))})`
const dataUrl = (code) => `data:text/javascript,${encodeURIComponent(code)}`

const root = fileURLToPath(new URL('.', import.meta.resolve('sealfile/package.json')))
const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
const entries = Object.keys(exports).filter((name) => typeof exports[name] === 'object')

function filesOf(name) {
  const specifier = JSON.stringify(name.replace('.', 'sealfile'))
  const imported = node('--import', dataUrl(REGISTER), '--input-type=module', '-e', `await import(${specifier})`)
  const required = node('-e', `require(${specifier}); console.log(Object.keys(require.cache).join('\\n'))`)
  return {
    import: imported.map((url) => fileURLToPath(url)),
    require: required,
  }
}

function node(...args) {
  return execFileSync(process.execPath, args, { encoding: 'utf8' }).split('\n').filter(Boolean)
}

/** The modules of src/ that a file was built from, as its comments tell. */
function modulesOf(file) {
  return [...readFileSync(file, 'utf8').matchAll(/^\/\/ src\/(.+)\.[jt]s$/gm)].map(([, module]) => module)
}

function check(name, condition, files) {
  const own = files.filter((file) => file.startsWith(root))
  const dist = own.map((file) => relative(`${root}dist`, file))
  const entryFiles = entries.map((entry) => exports[entry][condition].default.replace('./dist/', ''))
  const loaded = dist.filter((file) => entryFiles.includes(file))
  assert.deepEqual(loaded, [exports[name][condition].default.replace('./dist/', '')], `${name} loads no other entry point`)

  const packages = files
    .map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1])
    .filter((found) => found !== 'sealfile')
  assert.deepEqual([...new Set(packages)].sort(), [...LOADS[name].packages].sort(), `${name} loads these packages`)

  const modules = own.flatMap(modulesOf)
  assert(modules.length > 0, 'the comments tell which modules a file was built from')
  const isOurs = (module) => COMMON.test(module) || LOADS[name].modules.some((start) => module.startsWith(start))
  const strange = modules.filter((module) => !isOurs(module) || (name === '.' && LATER.test(module)))
  assert.deepEqual(strange, [], `${name} loads no code of other parts`)
}

assert.deepEqual(Object.keys(LOADS).sort(), entries.toSorted(), 'this table has all entry points')
for (const name of entries) {
  for (const [condition, files] of Object.entries(filesOf(name))) check(name, condition, files)
}
console.log(`${entries.length} entry points load what is theirs`)
