import { lstatSync, mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Disk } from '../../../src/file/io/steps.js'
import { runSync } from '../../../src/file/io/runners.js'
import { nodeDisk } from '../../../src/file/io/node-disk.js'
import { reencryptFile } from '../../../src/file/reencrypt-file.js'
import { patternBytes } from '../../support/encrypted-files.js'
import { failingDisk } from '../../support/failing-disk.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { makeFile, NEW, OLD, PURPOSE, read, saltOf, streamOf } from './support.js'

/** Re-encryption of a file, of which any call fails: once, or with all that come after it, as for a process that dies there. */

const inFolder = temporaryFolder()
const CONTENT = patternBytes(3 * 4_096 + 7)
const SETTINGS = { cipher: undefined, segmentSize: undefined, freshness: undefined, control: {} }

function reencryptOn(disk: Disk, path: string): void {
  const credentials = { keySource: NEW, purpose: PURPOSE, context: new Uint8Array(0) }
  runSync(
    disk,
    reencryptFile(path, SETTINGS, () => ({ from: credentials, to: credentials })),
  )
}

let count = 0
async function makeKind(kind: string): Promise<string> {
  const folder = inFolder(`${kind}-${count++}`)
  mkdirSync(folder)
  const path = `${folder}/file`
  if (kind === 'editable') makeFile(path, CONTENT)
  else writeFileSync(path, await streamOf(CONTENT, OLD))
  return path
}

describe.each(['editable', 'stream'])('%s', (kind) => {
  test('waits for the disk before the new file takes the place, and for the folder after', async () => {
    const { disk, calls } = failingDisk(Infinity, 'EIO')
    reencryptOn(disk, await makeKind(kind))
    expect(calls.filter((call) => ['fdatasync', 'rename', 'fsync'].includes(call))).toEqual(['fdatasync', 'rename', 'fsync'])
    expect(calls.lastIndexOf('writev')).toBeLessThan(calls.indexOf('fdatasync'))
  })

  test.each(['EIO', 'ENOSPC', 'EACCES'])('%s from any call leaves the old file or the new one, whole', async (code) => {
    const { disk, calls: all } = failingDisk(Infinity, code)
    reencryptOn(disk, await makeKind(kind))
    for (let from = 0; from < all.length; from++) {
      for (const until of [from + 1, Infinity]) {
        const path = await makeKind(kind)
        const old = saltOf(path)
        const { disk: failing, calls } = failingDisk(from, code, until)
        let error: unknown
        try {
          reencryptOn(failing, path)
        } catch (thrown) {
          error = thrown
        }
        const what = `${calls[from]!}, call ${from}, ${until === Infinity ? 'the process dies' : 'once'}`
        expect(read(path, NEW), what).toBe(CONTENT.toString('utf8'))
        const isRenamed = calls.includes('rename') && calls.indexOf('rename') < from
        if (error === undefined) expect(saltOf(path), what).not.toBe(old)
        else if (!isRenamed) expect(saltOf(path), what).toBe(old)
        // Another call goes on, once the lock of one who could not remove it is gone.
        const lock = `${path}.sealfile-lock`
        if (lstatSync(lock, { throwIfNoEntry: false })) unlinkSync(lock)
        if (until !== Infinity && calls[from] !== 'unlink') expect(readdirSync(dirname(path)), what).toEqual(['file'])
        const before = saltOf(path)
        reencryptOn(nodeDisk, path)
        expect(saltOf(path), what).not.toBe(before)
        expect(read(path, NEW), what).toBe(CONTENT.toString('utf8'))
      }
    }
  })
})
