import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EncryptedFile, KeyManager } from 'sealfile'
import { decryptBatch, encryptBatch } from 'sealfile/batch'
import { createEncryptedFs } from 'sealfile/fs'

/** An application that is bundled. It needs both kinds of workers. */
async function main() {
  const folder = await mkdtemp(join(tmpdir(), 'sealfile-bundle-'))
  try {
    const keyring = join(folder, 'keyring.json')
    let workers = 0
    process.on('worker', () => workers++)
    const keyManager = await KeyManager.create(keyring, { passphrase: 'correct horse battery staple' })
    const options = { keyManager, purpose: 'bundle' }
    const plain = join(folder, 'plain')
    await writeFile(plain, 'a secret')
    const made = await encryptBatch(plain, { target: join(folder, 'encrypted'), ...options })
    assert.deepEqual([made.files, made.failures], [1, []])
    const encrypted = join(folder, 'encrypted', 'plain')
    assert.equal(await EncryptedFile.readFile(encrypted, { ...options, encoding: 'utf8' }), 'a secret')
    const read = await decryptBatch(encrypted, { target: join(folder, 'decrypted'), ...options })
    assert.deepEqual([read.files, read.failures], [1, []])
    assert.equal(await readFile(join(folder, 'decrypted', 'plain'), 'utf8'), 'a secret')
    assert.equal(createEncryptedFs(options).readFileSync(encrypted, 'utf8'), 'a secret')
    assert.equal((await keyManager.rewrap(encrypted, { purpose: 'bundle' })).current, 1)
    assert(workers >= 2, 'both batches ran in workers')
    console.log(`good, ${workers} workers`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

void main()
