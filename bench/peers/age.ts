import { join } from 'node:path'
import { programVersion, run, type Peer } from './peer.js'

let identity: string
let recipient: string

/** The program of that name, in Go. */
export const age: Peer = {
  name: 'age',
  async start(folder) {
    const version = await programVersion('age', ['--version'])
    identity = join(folder, 'age-key')
    await run('age-keygen', ['-o', identity])
    recipient = await run('age-keygen', ['-y', identity])
    return version
  },
  async encryptFile(source, target) {
    await run('age', ['--recipient', recipient, '--output', target, source])
  },
  async decryptFile(source, target) {
    await run('age', ['--decrypt', '--identity', identity, '--output', target, source])
  },
}
