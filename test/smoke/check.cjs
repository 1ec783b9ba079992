'use strict'

const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { createReadStream, createWriteStream } = require('node:fs')
const { mkdir, mkdtemp, open, readFile, rm, stat, writeFile } = require('node:fs/promises')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { pipeline } = require('node:stream/promises')

const SEGMENT_SIZE = 65_536

/** @param {Promise<unknown>} promise */
function errorOf(promise) {
  return promise.then(
    () => assert.fail('this should have been refused'),
    (/** @type {any} */ error) => error,
  )
}

/**
 * Does with the installed package what its users do, and prints a line.
 *
 * @param {any} sealfile - As the caller imported or required it, which TypeScript takes for two different packages.
 * @param {any} sealfileFs - `sealfile/fs`, in the same way.
 * @param {string} caller - How it did that, for the line.
 * @param {{ batch: any, compat: any, config: any, providers: any, passphrasePolicy: any }} others - The entry points that need packages which are not installed
 *   here, for some of what they do.
 */
async function check(sealfile, sealfileFs, caller, { batch, compat, config, providers, passphrasePolicy }) {
  const { EncryptedFile, KeyManager, CorruptedFileError, InvalidKeyError, SealfileError } = sealfile
  let workers = 0
  process.on('worker', () => workers++)
  process.on('warning', (warning) => assert.fail(warning))
  const folder = await mkdtemp(join(tmpdir(), 'sealfile-smoke-'))
  try {
    const keyring = join(folder, 'keyring.json')
    const path = join(folder, 'file.enc')
    const passphrase = 'correct horse battery staple'
    const content = Buffer.alloc(3 * SEGMENT_SIZE + 5, 'a secret that must not show. ')
    const tail = 'and a line more\n'

    const created = await KeyManager.create(keyring, { passphrase })
    const writing = { keyManager: created, purpose: 'config' }
    const file = await EncryptedFile.open(path, 'w', writing)
    await file.write(content)
    await file.close()
    const log = EncryptedFile.openSync(path, 'a', writing)
    log.write(tail)
    log.close()
    created.close()
    assert(!(await readFile(path)).includes('secret'), 'what is on disk is encrypted')

    const keyManager = await KeyManager.open(keyring, { passphrase })
    const reading = { keyManager, purpose: 'config' }
    const whole = Buffer.concat([content, Buffer.from(tail)])
    const reader = await EncryptedFile.open(path, 'r', reading)
    assert((await reader.readFile()).equals(whole), 'what was written is read')
    await reader.close()

    const wrongPassphrase = await errorOf(KeyManager.open(keyring, { passphrase: 'wrong' }))
    assert(wrongPassphrase instanceof InvalidKeyError && wrongPassphrase.code === 'ERR_SEALFILE_WRONG_KEY')
    const wrongPurpose = await errorOf(EncryptedFile.open(path, 'r', { keyManager, purpose: 'logs' }))
    assert(wrongPurpose instanceof InvalidKeyError && wrongPurpose.code === 'ERR_SEALFILE_WRONG_PURPOSE')

    const raw = await open(path, 'r+')
    const position = Math.floor((await stat(path)).size / 2)
    const { buffer: byte } = await raw.read(Buffer.alloc(1), 0, 1, position)
    await raw.write(Buffer.from([byte.readUInt8() ^ 1]), 0, 1, position)
    await raw.close()
    const damaged = await EncryptedFile.open(path, 'r', reading)
    const damage = await errorOf(damaged.readFile())
    assert(damage instanceof CorruptedFileError && damage.segment === 1)
    const { bytesRead, buffer } = await damaged.read(Buffer.alloc(100), 0, 100, 0)
    assert(buffer.subarray(0, bytesRead).equals(whole.subarray(0, 100)), 'the rest of a damaged file is read')
    await damaged.close()

    const efs = sealfileFs.createEncryptedFs({ keyManager, purpose: 'data' })
    const inFs = join(folder, 'in-fs')
    await efs.promises.writeFile(inFs, 'a secret')
    efs.appendFileSync(inFs, ' text')
    assert.equal(efs.readFileSync(inFs, 'utf8'), 'a secret text')
    assert.equal(efs.statSync(inFs).size, 13)
    assert(!(await readFile(inFs)).includes('secret'), 'what the fs writes is encrypted')
    const refused = await errorOf(efs.promises.readFile(keyring))
    assert(refused instanceof SealfileError && refused.code === 'ERR_SEALFILE_FORMAT', 'both entry points have the same classes')

    const streamed = join(folder, 'streamed')
    await pipeline(createReadStream(keyring), sealfile.createEncryptStream(reading), createWriteStream(streamed))
    assert((await EncryptedFile.readFile(streamed, reading)).equals(await readFile(keyring)), 'a stream is read')

    const { AicoKeys, detectFormat, migrateFile, readAicoFile, writeAicoFile } = compat
    const old = join(folder, 'old.aico')
    const aico = { keys: AicoKeys.fromMasterKey(new Uint8Array(32).fill(1)), purpose: 'old' }
    await writeAicoFile(old, 'a secret from before', aico)
    assert.equal(await readAicoFile(old, { ...aico, encoding: 'utf8' }), 'a secret from before')
    assert.equal((await migrateFile(old, old, { ...reading, aico })).outcome, 'migrated')
    assert.equal(await detectFormat(old), 'sealfile')
    assert.equal(await EncryptedFile.readFile(old, { ...reading, encoding: 'utf8' }), 'a secret from before')
    const age = join(folder, 'old.age')
    await writeFile(age, 'age-encryption.org/v1\n')
    const missing = await errorOf(migrateFile(age, age, { ...reading, age: { passphrase } }))
    assert(missing instanceof SealfileError && missing.code === 'ERR_SEALFILE_PACKAGE_MISSING')

    const configPath = join(folder, 'sealfile.config.json')
    await writeFile(configPath, '{ "segmentSize": 4096, "purposes": [{ "pattern": "*.log", "purpose": "logs" }] }')
    assert('segmentSize' in require('sealfile/config.schema.json').properties)
    const { keyring: configured, openOptions } = await config.loadConfig(configPath)
    assert.equal(configured, keyring)
    assert.deepEqual(openOptions(join(folder, 'a.log')), { segmentSize: 4096, purpose: 'logs' })
    const noPattern = await errorOf(Promise.resolve().then(() => openOptions(path)))
    assert(noPattern instanceof sealfile.ConfigError)
    const noYaml = join(folder, 'sealfile.config.yaml')
    await writeFile(noYaml, 'segmentSize: 4096')
    const needsYaml = await errorOf(config.loadConfig(noYaml))
    assert(needsYaml instanceof SealfileError && needsYaml.code === 'ERR_SEALFILE_PACKAGE_MISSING')

    const before = workers
    const tree = join(folder, 'tree')
    await mkdir(join(tree, 'inner'), { recursive: true })
    await writeFile(join(tree, 'inner', 'file'), content)
    await writeFile(join(tree, 'not encrypted'), 'text')
    const made = await batch.encryptBatch(tree, { target: join(folder, 'tree-enc'), ...reading })
    assert.deepEqual([made.files, made.failures], [2, []])
    await writeFile(join(folder, 'tree-enc', 'plain'), 'text')
    const checked = await batch.verifyBatch(join(folder, 'tree-enc'), reading)
    assert.deepEqual([checked.intact, checked.counts.foreign], [2, 1])
    const { files, failures } = await batch.decryptBatch(join(folder, 'tree-enc'), { target: join(folder, 'tree-dec'), ...reading })
    assert.equal(files, 2)
    assert(failures[0].error instanceof sealfile.InvalidFileFormatError, 'errors of workers have the classes of the package')
    assert((await readFile(join(folder, 'tree-dec', 'inner', 'file'))).equals(content), 'a batch comes back')
    assert(workers > before, 'a batch ran in workers')
    await batch.packBatch(tree, { target: join(folder, 'tree.zip'), ...reading })
    const unpacked = await batch.unpackBatch(join(folder, 'tree.zip'), { target: join(folder, 'tree-unpacked'), ...reading })
    assert.deepEqual([unpacked.files, unpacked.failures], [2, []], 'a package comes back')
    workers = before
    keyManager.close()

    const context = { keyringId: 'AAECAwQFBgcICQoLDA0ODw', slotId: 'EBESExQVFhcYGRobHB0eHw' }
    const noKeychain = await errorOf(providers.createKeychainProvider().wrap(new Uint8Array(32), context))
    const noEstimate = await errorOf(passphrasePolicy.createPassphrasePolicy()(passphrase))
    for (const error of [noKeychain, noEstimate]) {
      assert(error instanceof SealfileError && error.code === 'ERR_SEALFILE_PACKAGE_MISSING', 'what is not installed is named')
    }
    const weak = await errorOf(passphrasePolicy.createPassphrasePolicy()('short'))
    assert(weak instanceof sealfile.WeakPassphraseError)
    const vault = { address: 'http://127.0.0.1:1', token: 'none', key: 'none', retries: 0 }
    const unreachable = await errorOf(providers.createVaultTransitProvider(vault).wrap(new Uint8Array(32), context))
    assert(unreachable instanceof sealfile.ProviderError, 'a server that is not there')

    const native = 'argon2' in crypto
    if (!native) assert.equal(workers, 4, 'Argon2id ran in the worker of the package')
    console.log(`${caller} on Node ${process.versions.node}, Argon2id in ${workers > 0 ? 'a worker' : 'crypto.argon2'}: good`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

module.exports = check
