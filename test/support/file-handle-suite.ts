import { describe } from 'vitest'
import { flagTests, positionTests } from './file-handle-suite/flags.js'
import type { OpenFile } from './file-handle-suite/handle.js'
import { lifecycleTests } from './file-handle-suite/lifecycle.js'
import { lineTests } from './file-handle-suite/lines.js'
import { metadataTests } from './file-handle-suite/metadata.js'
import { openingTests } from './file-handle-suite/opening.js'
import { readFileTests } from './file-handle-suite/read-file.js'
import { readStreamTests } from './file-handle-suite/read-streams.js'
import { readTests } from './file-handle-suite/read.js'
import { sizeTests } from './file-handle-suite/sizes.js'
import { subjectOf, type SuiteOptions } from './file-handle-suite/subject.js'
import { vectorTests } from './file-handle-suite/vectors.js'
import { webStreamTests } from './file-handle-suite/web-streams.js'
import { writeFileTests } from './file-handle-suite/write-file.js'
import { writeStreamTests } from './file-handle-suite/write-streams.js'
import { writeTests } from './file-handle-suite/write.js'

const ASYNC_THEMES = [readStreamTests, writeStreamTests, lineTests, webStreamTests]
const THEMES = [
  openingTests,
  flagTests,
  positionTests,
  readTests,
  readFileTests,
  vectorTests,
  writeTests,
  writeFileTests,
  sizeTests,
  metadataTests,
  lifecycleTests,
]

/**
 * What callers of Node's FileHandle rely on, from Node 20 to 26. Node's own handle must pass it as it stands.
 *
 * @param inFolder - Gives a path for a name, in a folder of the suite's own.
 */
export function fileHandleSuite(
  name: string,
  open: OpenFile,
  inFolder: (name: string) => string,
  options: SuiteOptions = {},
): void {
  const subject = subjectOf(name, open, inFolder, options)
  describe(name, () => {
    for (const testsOf of THEMES) testsOf(subject)
    if (options.isSync !== true) for (const testsOf of ASYNC_THEMES) testsOf(subject)
  })
}
