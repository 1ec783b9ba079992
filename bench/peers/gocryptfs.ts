import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { copyPieces, programVersion, run, Unavailable, type Peer } from './peer.js'

let mounted: string

async function mount(args: readonly string[]): Promise<void> {
  // What serves the file system goes on, and would hold pipes open that somebody waits for.
  const [code] = (await once(spawn('gocryptfs', args, { stdio: 'ignore' }), 'exit')) as [number | null]
  if (code !== 0) throw new Unavailable(`it cannot mount here: exit code ${code}`)
}

/** A file system: encrypting is copying into it, decrypting is copying out of it. */
export const gocryptfs: Peer = {
  name: 'gocryptfs',
  async start(folder) {
    const version = await programVersion('gocryptfs', ['--version'])
    if (!existsSync('/dev/fuse')) throw new Unavailable('there is no /dev/fuse')
    const [encrypted, passphrase] = [join(folder, 'gocryptfs-encrypted'), join(folder, 'gocryptfs-passphrase')]
    mounted = join(folder, 'gocryptfs-mounted')
    await mkdir(encrypted)
    await mkdir(mounted)
    await writeFile(passphrase, randomBytes(16).toString('hex'), { mode: 0o600 })
    // The least scrypt that it takes: opening the file system is not what is measured.
    await run('gocryptfs', ['-quiet', '-init', '-scryptn', '10', '-passfile', passphrase, encrypted])
    await mount(['-quiet', '-nosyslog', '-passfile', passphrase, encrypted, mounted])
    return version
  },
  async encryptFile(source, target) {
    await copyPieces(source, join(mounted, basename(target)))
    // What others leave beside the source lies in the file system here: a mark stands for it.
    await writeFile(target, '')
  },
  async decryptFile(source, target) {
    await copyPieces(join(mounted, basename(source)), target)
  },
  async stop() {
    await run('fusermount', ['-u', mounted])
  },
}
