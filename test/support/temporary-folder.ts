import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** Gives a folder that is gone when the test file has run. @returns the path of a name in it. */
export function temporaryFolder(): (name: string) => string {
  // Made when it is asked for: where all tests are skipped, nothing would remove it.
  let folder: string | undefined
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    // A busy disk may take its time.
  }, 120_000)
  return (name) => {
    folder ??= mkdtempSync(join(tmpdir(), 'sealfile-'))
    return join(folder, name)
  }
}
