import {
  EncryptedFile,
  KeyManager,
  SealfileError,
  type EncryptedFileSync,
  type OpenOptions,
  type SealfileErrorCode,
  type VerifyReport,
} from 'sealfile'
import { createEncryptedFs, type EncryptedFs, type EncryptedFsOptions } from 'sealfile/fs'
import { migrateFile, type MigrateFileOptions, type MigratedFile } from 'sealfile/compat'
import {
  BatchControl,
  encryptBatch,
  listPackage,
  packBatch,
  type BatchReport,
  type EncryptBatchOptions,
  type PackBatchOptions,
} from 'sealfile/batch'
import { loadConfig, type Config } from 'sealfile/config'
import { createPassphrasePolicy, type PassphraseCheck } from 'sealfile/passphrase-policy'
import { createKeychainProvider, createVaultTransitProvider, type KeyProvider } from 'sealfile/providers'
import { deepEqual, equal } from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// What a strict TypeScript project writes; compiled as an ES module and as CommonJS, and run.

async function roundTrip(folder: string): Promise<void> {
  const keyring = join(folder, 'keyring.json')
  const keyManager = await KeyManager.create(keyring, { passphrase: 'correct horse battery staple' })
  const options: OpenOptions = { keyManager, purpose: 'config', segmentSize: 4096, cipher: 'chacha20-poly1305' }
  const path = join(folder, 'app.enc')
  {
    await using file = await EncryptedFile.open(path, 'w', options)
    const { bytesWritten }: { bytesWritten: number } = await file.write('secret\n')
    equal(bytesWritten, 7)
  }
  const file = await EncryptedFile.open(path, 'r', options)
  const { bytesRead, buffer } = await file.read({ buffer: new Uint8Array(16) })
  deepEqual(buffer.subarray(0, bytesRead), new TextEncoder().encode('secret\n'))
  const size: number = (await file.stat()).size
  equal(size, 7)
  await file.close()

  const sync: EncryptedFileSync = EncryptedFile.openSync(path, 'r', options)
  const text: string = sync.readFile('utf8')
  equal(text, 'secret\n')
  sync.close()

  const fsOptions: EncryptedFsOptions = { keyManager, purpose: (name) => (name.endsWith('.log') ? 'logs' : 'config') }
  const efs: EncryptedFs = createEncryptedFs(fsOptions)
  const content: string = await efs.promises.readFile(path, 'utf8')
  equal(content, 'secret\n')
  efs.createReadStream(path).destroy()

  const plain = join(folder, 'plain.txt')
  await writeFile(plain, 'text')
  const migrating: MigrateFileOptions = { keyManager, purpose: 'config', onProgress: ({ phase, done }) => `${phase} ${done}` }
  const { outcome, format }: MigratedFile = await migrateFile(plain, plain, migrating)
  deepEqual([outcome, format], ['migrated', 'plain'])

  const batching: EncryptBatchOptions = {
    keyManager,
    target: join(folder, 'batch'),
    purpose: (name) => name,
    control: new BatchControl(),
  }
  const { files, failures }: BatchReport = await encryptBatch([plain], {
    ...batching,
    onProgress: ({ secondsLeft }) => secondsLeft,
  })
  deepEqual([files, failures], [1, []])

  const configPath = join(folder, 'sealfile.config.json')
  await writeFile(configPath, '{ "purposes": [{ "pattern": "**", "purpose": "config" }] }')
  const config: Config = await loadConfig(configPath)
  equal(await EncryptedFile.readFile(path, { keyManager, ...config.openOptions(path), encoding: 'utf8' }), 'secret\n')
  createEncryptedFs({ keyManager, ...config.fsOptions() })
  const fromConfig: EncryptBatchOptions = { ...batching, ...config.batchOptions(folder) }
  equal(fromConfig.segmentSize, undefined)

  const packing: PackBatchOptions = { keyManager, purpose: 'config', target: join(folder, 'package.zip'), compression: 'auto' }
  await packBatch(plain, packing)
  for await (const member of listPackage(packing.target, packing))
    equal(member.kind === 'file' && member.size, (await readFile(plain)).length)

  const handle = await EncryptedFile.open(path, 'r+', options)
  const { ok }: VerifyReport = await handle.verify()
  equal(ok, true)
  const bigSize: bigint = (await handle.stat({ bigint: true })).size
  equal(bigSize, 7n)
  const lines: string[] = []
  for await (const line of handle) lines.push(line)
  deepEqual(lines, ['secret'])
  await handle.close()

  let code: SealfileErrorCode | undefined
  try {
    await KeyManager.open(keyring, { passphrase: 'wrong' })
  } catch (error) {
    if (error instanceof SealfileError) code = error.code
  }
  equal(code, 'ERR_SEALFILE_WRONG_KEY')

  const providers: KeyProvider[] = [
    createKeychainProvider({ service: 'consumer' }),
    createVaultTransitProvider({
      address: new URL('https://vault.example.com'),
      getToken: () => Promise.resolve('token'),
      key: 'k',
      fetch,
    }),
  ]
  deepEqual(
    providers.map(({ name }) => name),
    ['keychain', 'vault-transit'],
  )
  const policy: PassphraseCheck = createPassphrasePolicy({ minimumLength: 20, userInputs: ['consumer'] })
  equal(
    await Promise.resolve(policy('too short')).then(
      () => true,
      () => false,
    ),
    false,
  )

  // @ts-expect-error -- a purpose is required
  await EncryptedFile.open(path, 'r', { keyManager }).catch(() => undefined)
  keyManager.close()
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sealfile-smoke-'))
  try {
    await roundTrip(folder)
    console.log(`TypeScript on Node ${process.versions.node}: good`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

void main()
