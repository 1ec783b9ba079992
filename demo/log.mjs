import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { EncryptedFile } from 'sealfile'

const SESSIONS = 3
const LINES_PER_SESSION = 200
const LINES_OF_SERVICE = 2_000

/**
 * Appends to a log as programs do: some open it, write a few lines and close it; then one keeps it open.
 *
 * @param {string} path - A file that does not exist.
 * @param {import('sealfile').KeyManager} keyManager
 * @returns {Promise<{ copy: import('./copies.mjs').Copy, seen: number }>} how many lines another handle saw while the last
 * program had the log open, and the log as it must read.
 */
export async function writeLog(path, keyManager) {
  const options = { keyManager, purpose: 'logs' }
  const hash = createHash('sha256')
  let plaintextSize = 0
  let number = 0

  /** @param {EncryptedFile} log @param {number} count */
  async function writeLines(log, count) {
    for (let i = 0; i < count; i++) {
      const line = `${new Date(1_767_225_600_000 + number * 1_000).toISOString()} request ${number} done\n`
      number++
      hash.update(line)
      plaintextSize += Buffer.byteLength(line)
      await log.write(line)
    }
  }

  for (let i = 0; i < SESSIONS; i++) {
    const log = await EncryptedFile.open(path, 'a', options)
    await writeLines(log, LINES_PER_SESSION)
    await log.close()
  }

  const log = await EncryptedFile.open(path, 'a', options)
  await writeLines(log, LINES_OF_SERVICE / 2)
  await log.sync()
  const reader = await EncryptedFile.open(path, 'r', options)
  const seen = (await reader.readFile('utf8')).split('\n').length - 1
  await reader.close()
  await writeLines(log, LINES_OF_SERVICE / 2)
  await log.close()

  const copy = {
    name: 'service.log',
    path,
    purpose: 'logs',
    plaintextSize,
    size: (await stat(path)).size,
    sha256: hash.digest('hex'),
  }
  return { copy, seen }
}
