// @ts-nocheck -- a program that is run as it is, and whose only types would be `any`
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'
import * as sealfile from 'sealfile'
import { decryptBatch, encryptBatch, listPackage, packBatch, unpackBatch } from 'sealfile/batch'
import { AicoKeys, migrateDirectory, writeAicoFile } from 'sealfile/compat'
import { findConfig, loadConfig } from 'sealfile/config'
import { createEncryptedFs } from 'sealfile/fs'

/**
 * Tries what the library does, one feature after the other, in whichever runtime this is, and holds the outcome against the table in
 * docs/runtimes.md of the package: `yes` there must work, and `no` must not.
 *
 * With the name of an action, it is the other process that some features need.
 */

const { EncryptedFile, KeyManager } = sealfile
const RUNTIME = process.versions.bun ? 'Bun' : process.versions.deno ? 'Deno' : 'Node'
const SELF = fileURLToPath(import.meta.url)
const PACKAGE = new URL('.', import.meta.resolve('sealfile/package.json'))
const PASSPHRASE = 'correct horse battery staple'
const MIB = 2 ** 20

const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(7))
const options = { keyManager, purpose: 'probe' }

/** @param {unknown} promise */
async function codeOf(promise) {
  return Promise.resolve(promise).then(
    () => 'no error',
    (error) => error.code ?? error.name,
  )
}

function codeOfSync(call) {
  try {
    call()
    return 'no error'
  } catch (error) {
    return error.code ?? error.name
  }
}

/** What another process does; it inherits the permissions that this one was given. */
const ACTIONS = {
  /** Leaves the end to the runtime: what is written is committed when the process exits. */
  async exit(path) {
    const file = await EncryptedFile.open(path, 'a', options)
    await file.write('written and never closed\n')
    process.exit(0)
  },
  async hold(path) {
    const file = await EncryptedFile.open(path, 'a', options)
    console.log('open')
    await new Promise((resolve) => setTimeout(resolve, 60_000))
    await file.close()
  },
}

const RUNTIME_ARGS = process.execArgv.includes('-A') || RUNTIME !== 'Deno' ? process.execArgv : ['run', '-A', '--no-prompt']

function start(action, path) {
  return spawn(process.execPath, [...RUNTIME_ARGS, SELF, action, path], { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Runs the command in this runtime. @param cwd - With the keyring and all other files. */
async function command(cwd, args, input = '') {
  const env = { ...process.env, SEALFILE_KEYRING: 'keyring.json', SEALFILE_PASSPHRASE: PASSPHRASE, SEALFILE_PURPOSE: 'probe' }
  const script = fileURLToPath(new URL('dist/cli.js', PACKAGE))
  const child = spawn(process.execPath, [...RUNTIME_ARGS, script, ...args], { cwd, env, stdio: 'pipe' })
  const ended = once(child, 'close')
  const [output, errors] = [child.stdout, child.stderr].map((stream) => stream.toArray())
  child.stdin.end(input)
  const [code] = await ended
  return { code, output: Buffer.concat(await output), errors: Buffer.concat(await errors).toString() }
}

/** By the names of the table. Each gets a folder of its own. */
const FEATURES = {
  async 'EncryptedFile, by promise'(folder) {
    const path = join(folder, 'file')
    const file = await EncryptedFile.open(path, 'w+', { ...options, segmentSize: 4096 })
    await file.write(Buffer.alloc(20_000, 'abc'))
    await file.write('XYZ', 9_000)
    await file.writev([Buffer.from('1'), Buffer.from('2')], 0)
    await file.truncate(15_000)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(5), 0, 5, 8_999)
    assert.equal(buffer.toString('utf8', 0, bytesRead), 'cXYZa')
    await file.sync()
    await file.chmod(0o600)
    await file.utimes(1, 2)
    assert.equal((await file.stat()).size, 15_000)
    assert.equal((await file.stat({ bigint: true })).size, 15_000n)
    await file.close()
    await EncryptedFile.appendFile(path, 'end', options)
    const content = await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })
    assert.equal(content.slice(0, 3) + content.slice(-4), '12ccend')
    assert(!fs.readFileSync(path).includes('abcabc'))
    assert.equal(await codeOf(EncryptedFile.open(join(folder, 'none'), 'r', options)), 'ENOENT')
    assert.equal(await codeOf(EncryptedFile.open(path, 'wx', options)), 'EEXIST')
  },
  'EncryptedFile, without waiting'(folder) {
    const path = join(folder, 'file')
    const file = EncryptedFile.openSync(path, 'w+', { ...options, segmentSize: 4096 })
    file.write(Buffer.alloc(20_000, 'abc'))
    file.write('XYZ', 9_000)
    assert.equal(file.read(Buffer.alloc(3), 0, 3, 9_000), 3)
    file.sync()
    file.close()
    EncryptedFile.appendFileSync(path, 'end', options)
    assert.equal(EncryptedFile.readFileSync(path, options).length, 20_003)
    assert.equal(
      codeOfSync(() => EncryptedFile.openSync(join(folder, 'none'), 'r', options)),
      'ENOENT',
    )
  },
  async 'all three ciphers'(folder) {
    for (const cipher of ['aes-256-gcm', 'chacha20-poly1305', 'aes-256-gcm-siv']) {
      const path = join(folder, cipher)
      await EncryptedFile.writeFile(path, 'secret', { ...options, cipher })
      assert.equal(EncryptedFile.readFileSync(path, { ...options, encoding: 'utf8' }), 'secret')
    }
  },
  async 'files that Node wrote'() {
    const vectors = new URL('format-v1/', import.meta.url)
    const { key, entries } = JSON.parse(fs.readFileSync(new URL('manifest.json', vectors), 'utf8'))
    for (const { file, purpose, context, key: ownKey = key, length, sha256, error } of entries) {
      const keys = KeyManager.fromKey(Buffer.from(ownKey, 'hex'))
      const opening = { keyManager: keys, purpose, ...(context && { context: Buffer.from(context, 'hex') }) }
      const reading = EncryptedFile.readFile(new URL(file, vectors), opening)
      if (error !== undefined) assert.equal(await codeOf(reading), error.code, file)
      else {
        const content = await reading
        assert.equal(content.length, length, file)
        assert.equal(createHash('sha256').update(content).digest('hex'), sha256, file)
      }
    }
  },
  async 'damage, verify, salvage'(folder) {
    const path = join(folder, 'file')
    await EncryptedFile.writeFile(path, Buffer.alloc(20_000, 'abc'), { ...options, segmentSize: 4096 })
    const raw = fs.readFileSync(path)
    raw[10_000] ^= 1
    fs.writeFileSync(path, raw)
    assert.equal(await codeOf(EncryptedFile.readFile(path, options)), 'ERR_SEALFILE_CORRUPTED')
    const file = await EncryptedFile.open(path, 'r', options)
    assert.equal((await file.verify()).ok, false)
    await file.close()
    const { gaps } = await EncryptedFile.salvage(path, join(folder, 'saved'), options)
    assert.equal(gaps.length, 1)
  },
  async 'readers beside a writer'(folder) {
    const path = join(folder, 'file')
    const writer = await EncryptedFile.open(path, 'w', { ...options, commitInterval: 50 })
    await writer.write('one\n')
    await writer.commit()
    const reader = await EncryptedFile.open(path, 'r', options)
    await writer.write('two\n')
    for (let tries = 0; tries < 100 && (await reader.stat()).size < 8; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    assert.equal(await reader.readText(), 'one\ntwo\n')
    await Promise.all([writer.close(), reader.close()])
  },
  async 'commit when the process exits'(folder) {
    const path = join(folder, 'file')
    const [status] = await once(start('exit', path), 'exit')
    assert.equal(status, 0)
    assert.equal(await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' }), 'written and never closed\n')
    assert.deepEqual(fs.readdirSync(folder), ['file'])
  },
  async 'locks, also of a process that was killed'(folder) {
    const path = join(folder, 'file')
    const holder = start('hold', path)
    await once(holder.stdout, 'data')
    assert.equal(await codeOf(EncryptedFile.open(path, 'a', options)), 'ERR_SEALFILE_LOCKED')
    assert.equal(
      codeOfSync(() => EncryptedFile.openSync(path, 'a', options)),
      'ERR_SEALFILE_LOCKED',
    )
    const ended = once(holder, 'exit')
    holder.kill('SIGKILL')
    await ended
    const file = await EncryptedFile.open(path, 'a', options)
    assert.equal(await codeOf(EncryptedFile.open(path, 'a', { ...options, lockTimeout: 50 })), 'ERR_SEALFILE_LOCKED')
    await file.close()
  },
  async 'streams of a handle'(folder) {
    const path = join(folder, 'file')
    const writer = await EncryptedFile.open(path, 'w', options)
    await pipeline(Readable.from([Buffer.alloc(MIB, 'a'), Buffer.from('\nlast\n')]), writer.createWriteStream())
    const reader = await EncryptedFile.open(path, 'r', options)
    let size = 0
    for await (const chunk of reader.createReadStream({ start: 10, autoClose: false })) size += chunk.length
    assert.equal(size, MIB + 6 - 10)
    const lines = []
    await reader.seek(MIB + 1)
    for await (const line of reader) lines.push(line)
    assert.deepEqual(lines, ['last'])
    await reader.close()
  },
  async 'streams of the Web'(folder) {
    const path = join(folder, 'file')
    await EncryptedFile.writeFile(path, Buffer.alloc(MIB, 'a'), options)
    const file = await EncryptedFile.open(path, 'r', options)
    let size = 0
    for await (const chunk of file.readableWebStream({ type: 'bytes' })) size += chunk.byteLength
    assert.equal(size, MIB)
    await file.close()
    const through = new Blob([Buffer.alloc(200_000, 'b')])
      .stream()
      .pipeThrough(sealfile.createEncryptTransformStream(options))
      .pipeThrough(sealfile.createDecryptTransformStream(options))
    assert.equal((await new Response(through).text()).length, 200_000)
  },
  async 'encrypting and decrypting streams'(folder) {
    const path = join(folder, 'file')
    const from = Readable.from([Buffer.alloc(200_000, 'c')])
    await pipeline(from, sealfile.createEncryptStream(options), fs.createWriteStream(path))
    const copy = join(folder, 'copy')
    await pipeline(fs.createReadStream(path), sealfile.createDecryptStream(options), fs.createWriteStream(copy))
    assert.equal(fs.statSync(copy).size, 200_000)
    const source = { size: fs.statSync(path).size, readAt: async (at, length) => fs.readFileSync(path).subarray(at, at + length) }
    const file = await EncryptedFile.fromSource(source, options)
    assert.equal((await file.readFile()).length, 200_000)
    await file.close()
    fs.truncateSync(path, 150_000)
    const cut = pipeline(fs.createReadStream(path), sealfile.createDecryptStream(options), fs.createWriteStream(copy))
    assert.equal(await codeOf(cut), 'ERR_SEALFILE_CORRUPTED')
  },
  async 'a keyring, Argon2id off the main thread'(folder) {
    const path = join(folder, 'keyring.json')
    let ticks = 0
    const ticking = setInterval(() => ticks++, 5)
    const created = await KeyManager.create(path, { passphrase: PASSPHRASE, argon2: 'interactive' })
    clearInterval(ticking)
    assert(ticks > 3, `${ticks} ticks while Argon2id ran`)
    assert.equal(fs.statSync(path).mode & 0o777, 0o600)
    const { recoveryKey } = await created.addRecoveryKey()
    await created.changePassphrase(PASSPHRASE, 'another passphrase that is long')
    created.close()
    assert.equal(await codeOf(KeyManager.open(path, { passphrase: PASSPHRASE })), 'ERR_SEALFILE_WRONG_KEY')
    const opened = await KeyManager.open(path, { recoveryKey })
    assert.equal(opened.slots().length, 2)
    assert.equal(inspect(opened, { depth: 9, showHidden: true }), String(opened))
    opened.close()
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 20)
    const stopped = KeyManager.open(path, { passphrase: PASSPHRASE, signal: controller.signal })
    assert.equal(await stopped.catch(({ name }) => name), 'AbortError')
  },
  async 'rotation, events'(folder) {
    const keys = await KeyManager.create(join(folder, 'keyring.json'), { key: new Uint8Array(32).fill(1) })
    const path = join(folder, 'file')
    const own = { keyManager: keys, purpose: 'probe' }
    await EncryptedFile.writeFile(path, 'secret', own)
    const heard = []
    const listen = (message) => heard.push(message)
    // Bun forgets who listens to a channel that nobody holds.
    const rewraps = channel('sealfile:rewrap')
    rewraps.subscribe(listen)
    await keys.rotateMasterKey()
    assert.equal((await keys.rewrap(path, { purpose: 'probe' })).rewrapped, 1)
    rewraps.unsubscribe(listen)
    assert.deepEqual(
      heard.map(({ from, to }) => [from.generation, to.generation]),
      [[1, 2]],
    )
    assert.equal((await keys.reencrypt(path, { purpose: 'probe' })).reencrypted, 1)
    await keys.retireGeneration(1, { search: [path] })
    assert.equal(await EncryptedFile.readFile(path, { ...own, encoding: 'utf8' }), 'secret')
  },
  async 'a guard against rollback'(folder) {
    const freshness = sealfile.FreshnessFile.open(join(folder, 'freshness'), options)
    const guarded = { ...options, freshness }
    const [path, older] = [join(folder, 'file'), join(folder, 'older')]
    await EncryptedFile.writeFile(path, 'one', guarded)
    fs.copyFileSync(path, older)
    await EncryptedFile.appendFile(path, 'two', guarded)
    fs.copyFileSync(older, path)
    assert.equal(await codeOf(EncryptedFile.readFile(path, guarded)), 'ERR_SEALFILE_ROLLED_BACK')
    freshness.close()
  },
  async 'fs: promises, callbacks, without waiting'(folder) {
    const efs = createEncryptedFs(options)
    const path = join(folder, 'file')
    await efs.promises.mkdir(join(folder, 'inner'))
    await efs.promises.writeFile(path, 'a secret')
    efs.appendFileSync(path, ' text')
    assert.equal(await promisify(efs.readFile)(path, 'utf8'), 'a secret text')
    assert.equal((await promisify(efs.stat)(path)).size, 13)
    assert.equal(efs.statSync(path).size, 13)
    const fd = await promisify(efs.open)(path, 'r+')
    await promisify(efs.write)(fd, Buffer.from('A'), 0, 1, 0)
    const { bytesRead } = await promisify(efs.read)(fd, Buffer.alloc(20), 0, 20, 0)
    assert.equal(bytesRead, 13)
    await promisify(efs.close)(fd)
    await efs.promises.copyFile(path, join(folder, 'copy'))
    await efs.promises.cp(join(folder, 'copy'), join(folder, 'inner', 'copy'))
    assert.equal(efs.readFileSync(join(folder, 'inner', 'copy'), 'utf8'), 'A secret text')
    assert.deepEqual(efs.readdirSync(folder).sort(), ['copy', 'file', 'inner'])
    assert.deepEqual(await efs.promises.readdir(folder).then((names) => names.sort()), ['copy', 'file', 'inner'])
    assert.equal(await codeOf(promisify(efs.readFile)(join(folder, 'none'))), 'ENOENT')
  },
  async 'fs: streams'(folder) {
    const efs = createEncryptedFs(options)
    const path = join(folder, 'file')
    await pipeline(Readable.from([Buffer.alloc(300_000, 'd')]), efs.createWriteStream(path))
    let size = 0
    for await (const chunk of efs.createReadStream(path, { start: 1 })) size += chunk.length
    assert.equal(size, 299_999)
  },
  async 'fs: opendir'(folder) {
    const efs = createEncryptedFs(options)
    await efs.promises.writeFile(join(folder, 'file'), 'text')
    fs.writeFileSync(join(folder, '.file.0123456789abcdef.sealfile-tmp'), '')
    const names = []
    for await (const { name } of await efs.promises.opendir(folder)) names.push(name)
    assert.deepEqual(names, ['file'])
  },
  async 'batches in worker threads'(folder) {
    const [from, to, back] = ['from', 'to', 'back'].map((name) => join(folder, name))
    fs.mkdirSync(join(from, 'inner'), { recursive: true })
    for (let i = 0; i < 50; i++) fs.writeFileSync(join(from, 'inner', `${i}`), `file ${i}`)
    const large = Buffer.alloc(20 * MIB, 'large file')
    fs.writeFileSync(join(from, 'large'), large)
    const made = await encryptBatch(from, { target: to, ...options, workers: 2 })
    assert.deepEqual([made.files, made.failures], [51, []])
    const read = await decryptBatch(to, { target: back, ...options, workers: 2 })
    assert.deepEqual([read.files, read.failures], [51, []])
    assert(fs.readFileSync(join(back, 'large')).equals(large))
    const other = join(folder, 'other')
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 100)
    const aborted = encryptBatch(from, { target: other, ...options, bytesPerSecond: 1000, signal: controller.signal })
    assert.equal(await aborted.catch(({ name }) => name), 'AbortError')
  },
  async 'batches: names that are no UTF-8'(folder) {
    const from = join(folder, 'from')
    fs.mkdirSync(from)
    fs.writeFileSync(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0x61, 0xff])]), 'text')
    const { files, failures } = await encryptBatch(from, { target: join(folder, 'to'), ...options })
    assert.deepEqual([files, failures], [1, []])
    const [name] = fs.readdirSync(Buffer.from(join(folder, 'to')), { encoding: 'buffer' })
    assert.deepEqual([...name], [0x61, 0xff])
  },
  async packages(folder) {
    const [from, path, back] = ['from', 'package.zip', 'back'].map((name) => join(folder, name))
    fs.mkdirSync(join(from, 'inner'), { recursive: true })
    for (let i = 0; i < 20; i++) fs.writeFileSync(join(from, 'inner', `${i}`), `file ${i}`)
    const large = Buffer.alloc(5 * MIB, 'large file')
    fs.writeFileSync(join(from, 'large'), large)
    const packed = await packBatch(from, { target: path, ...options, compression: 'gzip' })
    assert.deepEqual([packed.files, packed.failures], [21, []])
    assert(fs.statSync(path).size < MIB)
    const names = []
    for await (const member of listPackage(path, options)) names.push(member.path)
    assert.equal(names.length, 22)
    const read = await unpackBatch(path, { target: back, ...options })
    assert.deepEqual([read.files, read.failures], [21, []])
    assert(fs.readFileSync(join(back, 'large')).equals(large))
    assert.equal(fs.readFileSync(join(back, 'inner', '7'), 'utf8'), 'file 7')
    const bytes = fs.readFileSync(path)
    fs.writeFileSync(path, bytes.subarray(0, -10))
    assert.equal(await codeOf(unpackBatch(path, { target: back, ...options })), 'ERR_SEALFILE_PACKAGE')
  },
  async 'a configuration'(folder) {
    const path = join(folder, 'sealfile.config.json')
    fs.mkdirSync(join(folder, 'inner'))
    const purposes = [{ pattern: '**/*.log', purpose: 'logs' }]
    fs.writeFileSync(path, JSON.stringify({ keyring: 'keyring.json', segmentSize: 4096, purposes }), { mode: 0o600 })
    assert.equal(await findConfig({ from: join(folder, 'inner') }), path)
    const config = await loadConfig({ from: join(folder, 'inner') })
    assert.equal(config.keyring, join(folder, 'keyring.json'))
    assert.equal(config.purposeFor(join(folder, 'inner', 'app.log')), 'logs')
    await EncryptedFile.writeFile(join(folder, 'app.log'), 'text', { keyManager, ...config.openOptions(join(folder, 'app.log')) })
    assert.equal((await EncryptedFile.inspect(join(folder, 'app.log'))).segmentSize, 4096)
    fs.writeFileSync(path, '{ "segmentsize": 4096 }')
    assert.equal(await codeOf(loadConfig(path)), 'ERR_SEALFILE_CONFIG')
  },
  async 'the command'(folder) {
    const run = async (args, input) => {
      const { code, output, errors } = await command(folder, args, input)
      assert.equal(code, 0, `sealfile ${args.join(' ')}: ${errors}`)
      return output
    }
    await run(['keys', 'create', '--argon2', 'interactive'])
    const content = Buffer.alloc(200_000, 'text')
    fs.writeFileSync(join(folder, 'plain'), content)
    await run(['encrypt', 'plain', 'file.enc'])
    assert((await run(['decrypt', 'file.enc', '-'])).equals(content))
    const piped = await run(['encrypt'], content)
    assert((await run(['decrypt'], piped)).equals(content))
    await run(['append', 'file.enc'], 'more')
    assert.equal(JSON.parse((await run(['verify', '--json', 'file.enc'])).toString()).bytes, 200_004)
    fs.mkdirSync(join(folder, 'tree'))
    fs.writeFileSync(join(folder, 'tree', 'one'), 'first')
    await run(['batch', 'encrypt', 'tree', 'sealed'])
    await run(['pack', 'tree', 'tree.zip'])
    await run(['unpack', 'tree.zip', 'back'])
    assert.equal(fs.readFileSync(join(folder, 'back', 'one'), 'utf8'), 'first')
    const bytes = fs.readFileSync(join(folder, 'file.enc'))
    bytes[5_000] ^= 1
    fs.writeFileSync(join(folder, 'file.enc'), bytes)
    const damaged = await command(folder, ['decrypt', 'file.enc', 'none'])
    assert.equal(damaged.code, 4, damaged.errors)
    assert.equal(fs.existsSync(join(folder, 'none')), false)
    assert.equal((await command(folder, ['no-such-thing'])).code, 2)
  },
  async 'migration, AICO files'(folder) {
    const aico = { keys: AicoKeys.fromMasterKey(new Uint8Array(32).fill(1)), purpose: 'old' }
    const old = join(folder, 'old')
    fs.mkdirSync(old)
    await writeAicoFile(join(old, 'a.aico'), 'a secret', aico)
    fs.writeFileSync(join(old, 'plain'), 'text')
    const { migrated, failures } = await migrateDirectory(old, old, { ...options, aico })
    assert.deepEqual([migrated, failures], [2, []])
    assert.equal(await EncryptedFile.readFile(join(old, 'plain'), { ...options, encoding: 'utf8' }), 'text')
  },
}

/** What docs/runtimes.md says of this runtime, by feature. */
function readTable() {
  const rows = fs
    .readFileSync(new URL('docs/runtimes.md', PACKAGE), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  const head = rows.find(([first]) => first === 'feature')
  const column = head.indexOf(RUNTIME)
  return new Map(rows.filter(([feature]) => feature in FEATURES).map((row) => [row[0], row[column]]))
}

async function probe() {
  const table = readTable()
  assert.deepEqual([...table.keys()], Object.keys(FEATURES), 'docs/runtimes.md has these features')
  const root = fs.mkdtempSync(join(tmpdir(), 'sealfile-probe-'))
  let surprises = 0
  for (const [index, [feature, run]] of Object.entries(FEATURES).entries()) {
    const folder = join(root, String(index))
    fs.mkdirSync(folder)
    const fault = await Promise.resolve(folder)
      .then(run)
      .catch((error) => error ?? new Error('undefined was thrown'))
    const isExpected = (fault === undefined) === table.get(feature).startsWith('yes')
    console.log(
      `${isExpected ? ' ' : '!'} ${feature}: ${fault === undefined ? 'works' : `does not, ${String(fault.message).split('\n')[0]}`}`,
    )
    if (isExpected) continue
    surprises++
    if (fault !== undefined) console.log(fault)
  }
  fs.rmSync(root, { recursive: true })
  console.log(`${RUNTIME} ${process.versions[RUNTIME.toLowerCase()]}: ${surprises} unlike docs/runtimes.md says`)
  process.exitCode = surprises > 0 ? 1 : 0
}

const [action, path] = process.argv.slice(2)
await (action === undefined ? probe() : ACTIONS[action](path))
