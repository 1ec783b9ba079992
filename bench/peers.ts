import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rm, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { median } from './findings.js'
import {
  assert,
  hasRoomInMemory,
  noteComparison,
  noteMeasurement,
  noteOmission,
  pairRatios,
  pathInMemory,
  timeInTurn,
  type Contender,
} from './harness.js'
import { PEERS, startPeers } from './peers/all-peers.js'
import { age } from './peers/age.js'
import { awsDefault, awsLargeFrames } from './peers/aws-encryption-sdk.js'
import { bareCipher } from './peers/create-cipheriv.js'
import type { Peer } from './peers/peer.js'
import { plain } from './peers/plain.js'
import { batchOfOne } from './peers/sealfile.js'
import { typage } from './peers/typage.js'

/** One file, by everybody who encrypts files and can be had here; and what is promised of ours beside some of them. */

const MIB = 2 ** 20

const PROMISED_SIZE = 2 ** 30
/** How often our speed must be that of others, for a file of that size. */
const PROMISES = new Map<Peer, number>([
  [age, 3],
  [typage, 10],
  [awsDefault, 3],
  [awsLargeFrames, 3],
])

type Direction = 'encrypt' | 'decrypt'

interface Files {
  readonly source: string
  encrypted(peer: Peer): string
  readonly decrypted: string
}

/** Bytes that nothing can compress, and no two pieces of which are alike. */
async function makeSource(path: string, size: number): Promise<void> {
  const file = await open(path, 'wx')
  const hash = createHash('shake256', { outputLength: Math.min(MIB, size) })
  const piece = hash.update('bench').digest()
  for (let done = 0; done < size; done += piece.length) {
    piece.writeUInt32LE(done / piece.length, 0)
    await file.write(piece, 0, Math.min(piece.length, size - done))
  }
  await file.close()
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** Does the work once, and looks at what came of it. */
async function check(peers: readonly Peer[], files: Files): Promise<void> {
  const wanted = await hashOf(files.source)
  for (const peer of peers) {
    await rm(files.encrypted(peer), { force: true })
    await peer.encryptFile(files.source, files.encrypted(peer))
    await peer.decryptFile(files.encrypted(peer), files.decrypted)
    assert((await hashOf(files.decrypted)) === wanted, `${peer.name}: other bytes come back`)
    await rm(files.decrypted)
  }
}

/** @returns the name with the version in it, before what is said of how it is used. */
function titleOf(peer: Peer, versions: ReadonlyMap<Peer, string>): string {
  const version = versions.get(peer)
  return version === '' ? peer.name : peer.name.replace(/(?=,)|$/, ` ${version}`)
}

function contend(peer: Peer, direction: Direction, files: Files): Contender {
  const [source, target] =
    direction === 'encrypt' ? [files.source, files.encrypted(peer)] : [files.encrypted(peer), files.decrypted]
  return {
    name: peer.name,
    before: () => rm(target, { force: true }),
    run: () => (direction === 'encrypt' ? peer.encryptFile(source, target) : peer.decryptFile(source, target)),
  }
}

/** @param room - Bytes of files that there are at a time. @param use - Takes the peers that are here, with their versions. */
async function withPeers(
  wanted: readonly Peer[],
  size: number,
  room: number,
  use: (started: ReadonlyMap<Peer, string>, files: Files) => Promise<void>,
): Promise<void> {
  if (!hasRoomInMemory(room)) {
    noteOmission({
      what: `a file of ${size / MIB} MiB, by everybody`,
      why: `there is no room for ${Math.ceil(room / MIB)} MiB in memory`,
    })
    return
  }
  const folder = pathInMemory('peers')
  await mkdir(folder)
  const { started, absent } = await startPeers(wanted, folder)
  for (const { peer, why } of absent) noteOmission({ what: peer.name, why })
  const files: Files = {
    source: pathInMemory('peers/source'),
    encrypted: (peer) => pathInMemory(`peers/encrypted-${wanted.indexOf(peer)}`),
    decrypted: pathInMemory('peers/decrypted'),
  }
  try {
    await makeSource(files.source, size)
    await use(new Map(started.map(({ peer, version }) => [peer, version])), files)
  } finally {
    for (const { peer } of started) await peer.stop?.()
    await rm(folder, { recursive: true })
  }
}

/** @param size - Bytes of the file. */
export async function benchPeers(rounds: number, size: number): Promise<void> {
  // What each has encrypted stays; besides, the source, what is decrypted, and what lies in a file system.
  await withPeers(PEERS, size, size * (PEERS.length + 3), async (versions, files) => {
    const peers = [...versions.keys()]
    await check(peers, files)
    for (const direction of ['encrypt', 'decrypt'] as const) {
      const times = await timeInTurn(
        peers.map((peer) => contend(peer, direction, files)),
        rounds,
      )
      const timesOf = (peer: Peer): number[] => times[peers.indexOf(peer)]!
      for (const peer of peers) {
        const row = titleOf(peer, versions)
        const rates = timesOf(peer).map((ms) => size / MIB / (ms / 1_000))
        noteMeasurement(row, `${direction} ${size / MIB} MiB, MiB/s`, rates)
        noteMeasurement(row, `${direction} by plain`, [median(pairRatios(timesOf(plain), timesOf(peer)))])
        noteMeasurement(row, `${direction} by createCipheriv`, [median(pairRatios(timesOf(bareCipher), timesOf(peer)))])
      }
    }
  })
}

/**
 * That the same peers give the bytes back, `benchPeers` has seen.
 *
 * @param size - Bytes of the file; below 1 GiB nothing is promised.
 */
export async function benchPromises(rounds: number, size: number): Promise<void> {
  await withPeers([batchOfOne, ...PROMISES.keys()], size, size * 2, async (versions, files) => {
    const peers = [...versions.keys()]
    const target = pathInMemory('peers/encrypted')
    const [ours, ...others] = await timeInTurn(
      peers.map((peer) => ({
        name: peer.name,
        before: () => rm(target, { force: true }),
        async run() {
          await peer.encryptFile(files.source, target)
          assert((await stat(target)).size > size, `${peer.name}: the file is short`)
        },
      })),
      rounds,
    )
    for (const [i, times] of others.entries()) {
      const peer = peers[i + 1]!
      noteComparison({
        what: `encrypt one file of ${size / MIB} MiB, beside ${peer.name}`,
        ours: batchOfOne.name,
        baseline: titleOf(peer, versions),
        speedRatios: pairRatios(times, ours!),
        oursMs: median(ours!),
        baselineMs: median(times),
        // A small file shows what it takes to start threads and programs.
        target: size < PROMISED_SIZE ? 0 : PROMISES.get(peer)!,
      })
    }
  })
}
