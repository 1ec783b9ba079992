import console from 'node:console'
import { existsSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath, URL } from 'node:url'
import { parseArgs } from 'node:util'
import { KeyManager } from 'sealfile'
import { isIntact, writeCopy } from './copies.mjs'
import { showDamage, showWrongKeys } from './damage.mjs'
import { writeLog } from './log.mjs'
import { generatedSource, InputError, listSources } from './sources.mjs'
import { measure } from './speed.mjs'
import { formatTable } from './table.mjs'

const USAGE = `npm run demo -- [--keep] [file or folder…]

Encrypts copies of files, appends to an encrypted log, reads all of it back, and shows what damage and wrong keys give. Works in a
temporary folder; your files are only read. Without arguments it takes the documentation and sources of this repository and a
generated file of 256 MiB. Symbolic links are not followed.

  --keep   leaves the temporary folder, with the encrypted copies
`

const PASSPHRASE = 'correct horse battery staple'
const MIB = 1_048_576

const print = (/** @type {string} */ line) => console.log(line)

/** @param {string[]} paths */
async function gatherInput(paths) {
  if (paths.length > 0) {
    // npm runs scripts in the package's folder; paths are meant from where npm was called.
    const cwd = (process.env.npm_lifecycle_event === 'demo' && process.env.INIT_CWD) || process.cwd()
    return Promise.all(paths.map((path) => listSources(resolve(cwd, path), path)))
  }
  const root = fileURLToPath(new URL('..', import.meta.url))
  const own = ['README.md', 'docs', 'src'].filter((name) => existsSync(join(root, name)))
  const groups = await Promise.all(own.map((name) => listSources(join(root, name), name)))
  return [...groups, generatedSource('generated.bin', 256 * MIB)]
}

/**
 * @param {import('./sources.mjs').Group[]} groups
 * @param {string} folder
 * @returns {Promise<boolean>} whether everything came back as it was.
 */
async function run(groups, folder) {
  print(`working in ${folder}`)
  print(`\n1. A keyring, with the demo's passphrase '${PASSPHRASE}'`)
  const keyringPath = join(folder, 'keyring.json')
  const created = await KeyManager.create(keyringPath, { passphrase: PASSPHRASE })
  created.close()
  const keyManager = await KeyManager.open(keyringPath, { passphrase: PASSPHRASE })

  print('\n2. Encrypted copies')
  /** @type {import('./table.mjs').Row[]} */
  const rows = []
  for (const [index, group] of groups.entries()) {
    const copies = []
    for (const source of group.sources) copies.push(await writeCopy(source, join(folder, 'copies', String(index)), keyManager))
    const purposes = [...new Set(copies.map((copy) => copy.purpose))].sort().join(', ')
    print(`  ${group.name}: ${copies.length === 1 ? 'a file' : `${copies.length} files`}${purposes && `, for: ${purposes}`}`)
    if (group.skipped.length > 0) print(`    skipped, being symbolic links or no files: ${group.skipped.length}`)
    rows.push({ name: group.name, copies })
  }

  print('\n3. An encrypted log: three times opened, appended to and closed, then kept open')
  const { copy: log, seen } = await writeLog(join(folder, 'service.log'), keyManager)
  print(`  while it was open, another handle read ${seen.toLocaleString('en')} lines of it`)
  rows.push({ name: 'service.log', copies: [log] })

  print('\n4. All of it read back')
  const copies = rows.flatMap((row) => row.copies)
  const broken = []
  for (const copy of copies) if (!(await isIntact(copy, keyManager))) broken.push(copy.path)
  print(`  ${copies.length - broken.length} of ${copies.length} files have the SHA-256 hash of what was written`)
  for (const path of broken) print(`  DIFFERS: ${path}`)

  print('\n5. Damage, and wrong keys')
  // Not the log: the newest version of its segments may lie behind the data, and a byte at their old place means nothing.
  const largest = copies.filter((copy) => copy !== log).reduce((a, b) => (b.size > a.size ? b : a), copies[0] ?? log)
  await showDamage(largest, keyManager, print)
  const isRestored = await isIntact(largest, keyManager)
  print(`    the bit flipped back: ${isRestored ? 'the hash is right again' : 'THE HASH DIFFERS'}`)
  await showWrongKeys(largest, { path: keyringPath, keyManager }, print)

  print('\n6. Size and speed')
  for (const [index, group] of groups.entries()) {
    const sizes = group.sources.map((source) => source.size)
    Object.assign(rows[index] ?? {}, { speeds: await measure(sizes, join(folder, 'timed'), keyManager) })
  }
  for (const line of formatTable(rows)) print(`  ${line}`)
  print('  Calls of 64 KiB, plain ones being those of fs.promises; open and close are timed, too. Files of the same sizes, up to')
  print('  1,000 of them and 256 MiB, plain and encrypted in turns, the median of five or more rounds after a warm-up. This')
  print(
    '  is the speed of the page cache, not of the disk. MB are 1,000,000 bytes. The overhead is 1,280 bytes a file and 28 for each',
  )
  print('  64 KiB; a file that was appended to bit by bit also holds its last segments twice, until a later writer tidies up.')
  return broken.length === 0 && isRestored
}

function parseArguments() {
  try {
    return parseArgs({
      options: { keep: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
      allowPositionals: true,
    })
  } catch (error) {
    throw new InputError(/** @type {Error} */ (error).message)
  }
}

async function main() {
  const { values, positionals } = parseArguments()
  if (values.help) {
    print(USAGE)
    return
  }
  const groups = await gatherInput(positionals)
  const folder = await mkdtemp(join(tmpdir(), 'sealfile-demo-'))
  const remove = () => {
    if (!values.keep) rmSync(folder, { recursive: true, force: true })
  }
  process.once('SIGINT', () => {
    remove()
    process.exit(130)
  })
  try {
    if (!(await run(groups, folder))) process.exitCode = 1
  } finally {
    remove()
  }
  print(values.keep ? `\nLeft as it is: ${folder}` : '\nThe temporary folder is removed.')
}

main().catch((/** @type {unknown} */ error) => {
  if (error instanceof InputError) {
    console.error(`demo: ${error.message}\nTry: npm run demo -- --help`)
    process.exitCode = 2
  } else {
    console.error(error)
    process.exitCode = 1
  }
})
