import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { PEERS, startPeers } from '../../bench/peers/all-peers.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const PIECE = 65_536

test.for(PEERS.map((peer, i) => ({ peer, name: peer.name, i })))('$name gives the bytes back', async ({ peer, i }, { skip }) => {
  const at = (name: string): string => inFolder(`${i}/${name}`)
  await mkdir(at('own'), { recursive: true })
  const { absent } = await startPeers([peer], at('own'))
  if (absent[0] !== undefined) skip(absent[0].why)
  try {
    // Whole pieces, a short one at the end, a whole one at the end, and less than one.
    for (const size of [2 ** 20 + 1_000, 2 ** 20, PIECE - 1, 1]) {
      const content = randomBytes(size)
      await writeFile(at(`${size}`), content)
      await peer.encryptFile(at(`${size}`), at(`${size}.encrypted`))
      await peer.decryptFile(at(`${size}.encrypted`), at(`${size}.decrypted`))
      expect((await readFile(at(`${size}.decrypted`))).equals(content), `${size} bytes`).toBe(true)
      if (peer.name !== 'plain file I/O') expect((await readFile(at(`${size}.encrypted`))).equals(content)).toBe(false)
    }
  } finally {
    await peer.stop?.()
  }
})
