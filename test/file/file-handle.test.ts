import { open } from 'node:fs/promises'
import { EncryptedFile } from '../../src/index.js'
import { OPTIONS } from '../support/encrypted-files.js'
import { fileHandleSuite } from '../support/file-handle-suite.js'
import type { Handle, OpenFile } from '../support/file-handle-suite/handle.js'
import { ENCRYPTED, NODE_MAJOR } from '../support/file-handle-suite/subject.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** One contract, four implementations: Node's own handles are the oracle. The two that do not wait are in file-handle-sync.test.ts. */
const inFolder = temporaryFolder()
const openNode = open as unknown as OpenFile

fileHandleSuite('node:fs/promises', openNode, inFolder, {
  withoutPositionChecks: NODE_MAJOR < 22,
  withoutWebStreamOptions: NODE_MAJOR < 22,
  withoutViewOffsets: NODE_MAJOR < 26,
})
fileHandleSuite(
  'EncryptedFile',
  async (path, flags, mode) => (await EncryptedFile.open(path, flags as string, { ...OPTIONS, mode })) as unknown as Handle,
  inFolder,
  { ...ENCRYPTED, oracle: openNode },
)
