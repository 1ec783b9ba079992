import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { programVersion, run, type Peer } from './peer.js'

let passphraseFile: string
const options = (): string[] => ['enc', '-aes-256-ctr', '-pbkdf2', '-pass', `file:${passphraseFile}`]

/** The program that is everywhere: it does not authenticate, and has no mode that does. */
export const opensslEnc: Peer = {
  name: 'openssl enc, AES-256-CTR',
  async start(folder) {
    const version = await programVersion('openssl', ['version'])
    passphraseFile = join(folder, 'openssl-passphrase')
    await writeFile(passphraseFile, randomBytes(16).toString('hex'), { mode: 0o600 })
    return version
  },
  async encryptFile(source, target) {
    await run('openssl', [...options(), '-in', source, '-out', target])
  },
  async decryptFile(source, target) {
    await run('openssl', [...options(), '-d', '-in', source, '-out', target])
  },
}
