import fs from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { EncryptedFile } from '../../src/index.js'
import { OPTIONS } from '../support/encrypted-files.js'
import { awaitable, fileHandleSuite, type SyncHandle } from '../support/file-handle-suite.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** One contract, four implementations: Node's own handles are the oracle. */
const inFolder = temporaryFolder()

fileHandleSuite('node:fs/promises', open, inFolder, { withoutPositionChecks: true })
fileHandleSuite(
  'EncryptedFile',
  async (path, flags) => (await EncryptedFile.open(path, flags, OPTIONS)) as unknown as FileHandle,
  inFolder,
)

function openNodeSync(path: string, flags: string): SyncHandle {
  const fd = fs.openSync(path, flags)
  return {
    read: (buffer, ...rest) => fs.readSync(fd, buffer, ...(rest as [number, number, number])),
    write: (data, ...rest) => fs.writeSync(fd, data as string, ...(rest as [number])),
    readFile: (options) => fs.readFileSync(fd, options as null),
    writeFile: (data, options) => fs.writeFileSync(fd, data as string, options as null),
    appendFile: (data, options) => fs.appendFileSync(fd, data as string, options as null),
    stat: () => fs.fstatSync(fd),
    sync: () => fs.fsyncSync(fd),
    datasync: () => fs.fdatasyncSync(fd),
    close: () => fs.closeSync(fd),
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- what opening throws becomes a rejection, as the suite asks
const openAwaitable = (openSync: (path: string, flags: string) => SyncHandle) => async (path: string, flags: string) =>
  awaitable(openSync(path, flags))

fileHandleSuite('fs.*Sync', openAwaitable(openNodeSync), inFolder, {
  isSync: true,
  withoutClosedState: true,
  withoutOmissions: true,
})
fileHandleSuite(
  'EncryptedFile.openSync',
  openAwaitable((path, flags) => EncryptedFile.openSync(path, flags, OPTIONS)),
  inFolder,
  { isSync: true },
)
