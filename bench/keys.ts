import { rm } from 'node:fs/promises'
import { KeyManager } from '../src/index.js'
import { ARGON2_PROFILES } from '../src/keys/argon2-parameters.js'
import { deriveFromPassphrase } from '../src/keys/argon2id.js'
import { assert, compare, pathOf } from './harness.js'

/** What keys cost: once when a keyring is opened, and with each file. */

const UNWRAPS = 2_000
/** Milliseconds that a file may take of key work. */
const ALLOWANCE = 0.1

/** Opening a keyring, beside the Argon2id run that it cannot do without. */
export async function benchUnlock(rounds: number): Promise<void> {
  const path = pathOf('keyring.json')
  const passphrase = 'correct horse battery staple'
  ;(await KeyManager.create(path, { passphrase })).close()
  await compare(
    'unlock, 64 MiB and three passes',
    {
      name: 'KeyManager.open',
      async run() {
        const keyManager = await KeyManager.open(path, { passphrase })
        assert(keyManager.generation === 1, 'the keyring is another')
        keyManager.close()
      },
    },
    {
      name: 'the Argon2id run',
      async run() {
        const parameters = ARGON2_PROFILES['rfc9106-second']
        await deriveFromPassphrase({ passphrase: Buffer.from(passphrase), salt: new Uint8Array(16), parameters })
      },
    },
    1 / 1.2,
    rounds,
  )
  await rm(path)
}

/** The key work of opening a file: the header's check, and unwrapping its key. */
export async function benchFileKeys(rounds: number): Promise<void> {
  const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(7))
  const request = { purpose: 'bench', salt: new Uint8Array(32).fill(1), header: new Uint8Array(101) }
  const dek = new Uint8Array(32).fill(2)
  const wrapped = keyManager.wrapFileKey(request, dek)
  assert(Buffer.from(keyManager.unwrapFileKey(request, wrapped)).equals(dek), 'the key is another')
  await compare(
    `key work of opening ${UNWRAPS} files`,
    {
      name: 'unwrapFileKey',
      run() {
        for (let i = 0; i < UNWRAPS; i++) keyManager.unwrapFileKey(request, wrapped)
      },
    },
    {
      name: '100 µs each',
      run() {
        for (const end = performance.now() + UNWRAPS * ALLOWANCE; performance.now() < end;);
      },
    },
    1,
    rounds,
  )
}
