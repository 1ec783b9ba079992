import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { nodeDisk } from '../../file/io/node-disk.js'
import { AsyncRunner } from '../../file/io/runners.js'
import { renameIntoPlace } from '../../file/io/move-file.js'
import { temporaryToken } from '../../file/successor-file.js'
import { joinPath, type Path } from '../../compat/paths.js'
import type { Machine } from './machine.js'
import { parseRecord, type TuningRecord } from './tuning-record.js'

/** Bytes of a record at most. Ours have three thousand. */
const SIZE_MAX = 65_536

/** @returns where the system wants caches to be; undefined for a user without a home. */
export function defaultCacheFolder(): string | undefined {
  const { LOCALAPPDATA = '', XDG_CACHE_HOME = '' } = process.env
  if (isAbsolute(XDG_CACHE_HOME) && !['win32', 'darwin'].includes(process.platform)) return join(XDG_CACHE_HOME, 'sealfile')
  let home
  try {
    home = homedir()
  } catch {
    return undefined
  }
  if (process.platform === 'win32') return join(LOCALAPPDATA === '' ? join(home, 'AppData', 'Local') : LOCALAPPDATA, 'sealfile')
  if (process.platform === 'darwin') return join(home, 'Library', 'Caches', 'sealfile')
  return join(home, '.cache', 'sealfile')
}

/** A file for each machine: none is changed by another. */
function placeOf(folder: Path, machine: Machine): Path {
  const name = createHash('sha256').update(JSON.stringify(machine)).digest('hex').slice(0, 16)
  return joinPath(folder, `tuning-${name}.json`)
}

/** @returns what is kept of a machine; undefined where there is nothing that can be used, for whatever reason. */
export async function readCache(folder: Path, machine: Machine): Promise<TuningRecord | undefined> {
  try {
    // Something that is no file must not hold us up. Windows has no such flag.
    const nonblocking = (constants.O_NONBLOCK as number | undefined) ?? 0
    const file = await open(placeOf(folder, machine), constants.O_RDONLY | nonblocking)
    try {
      const stats = await file.stat()
      if (!stats.isFile() || stats.size > SIZE_MAX) return undefined
      const { bytesRead, buffer } = await file.read(Buffer.alloc(SIZE_MAX), 0, SIZE_MAX, 0)
      return parseRecord(buffer.toString('utf8', 0, bytesRead), machine)
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  }
}

/** Keeps what was measured, in one step: two that do so at once do not mix. @throws system errors. */
export async function writeCache(folder: Path, record: TuningRecord): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const place = placeOf(folder, record.machine)
  const temporary = joinPath(folder, `tuning-${temporaryToken()}.tmp`)
  try {
    await writeFile(temporary, JSON.stringify(record), { mode: 0o600, flag: 'wx' })
    await new AsyncRunner(nodeDisk).run(() => renameIntoPlace(temporary, place))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
