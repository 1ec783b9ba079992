import { EncryptedFile } from '../../src/index.js'
import { OPTIONS } from '../support/encrypted-files.js'
import { fileHandleSuite } from '../support/file-handle-suite.js'
import { awaitableOpen, openNodeSync } from '../support/file-handle-suite/handle.js'
import { ENCRYPTED } from '../support/file-handle-suite/subject.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** The contract of file-handle.test.ts, for what does not wait: fs.*Sync is the oracle. */
const inFolder = temporaryFolder()
const openNode = awaitableOpen(openNodeSync)

fileHandleSuite('fs.*Sync', openNode, inFolder, { isSync: true, withoutClosedState: true, withoutOmissions: true })
fileHandleSuite(
  'EncryptedFile.openSync',
  awaitableOpen((path, flags, mode) => EncryptedFile.openSync(path, flags as string, { ...OPTIONS, mode })),
  inFolder,
  { ...ENCRYPTED, isSync: true, oracle: openNode },
)
