import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { age } from './age.js'
import { awsDefault, awsLargeFrames } from './aws-encryption-sdk.js'
import { bareCipher } from './create-cipheriv.js'
import { gocryptfs } from './gocryptfs.js'
import { openPgp } from './openpgp.js'
import { opensslEnc } from './openssl.js'
import { Unavailable, type Peer } from './peer.js'
import { plain } from './plain.js'
import { OURS } from './sealfile.js'
import { secretstream } from './secretstream.js'
import { typage } from './typage.js'

/** Those that others are measured by come first, then ours. */
export const PEERS: readonly Peer[] = [
  plain,
  bareCipher,
  ...OURS,
  age,
  typage,
  awsDefault,
  awsLargeFrames,
  secretstream,
  openPgp,
  gocryptfs,
  opensslEnc,
]

/** Peers that have started. */
export interface StartedPeers {
  readonly started: readonly { readonly peer: Peer; readonly version: string }[]
  readonly absent: readonly { readonly peer: Peer; readonly why: string }[]
}

/** @param folder - Each peer gets a folder in it. Peers that have started must be stopped. */
export async function startPeers(peers: readonly Peer[], folder: string): Promise<StartedPeers> {
  const started: { peer: Peer; version: string }[] = []
  const absent: { peer: Peer; why: string }[] = []
  for (const [i, peer] of peers.entries()) {
    const own = join(folder, `peer-${i}`)
    await mkdir(own)
    try {
      started.push({ peer, version: await peer.start(own) })
    } catch (error) {
      if (error instanceof Unavailable) {
        absent.push({ peer, why: error.message })
        continue
      }
      for (const one of started) await one.peer.stop?.()
      throw error
    }
  }
  return { started, absent }
}
