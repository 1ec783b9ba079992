import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { endIsWritten, isCutTo } from '../../src/file/io/changes.js'
import { bundleLibrary } from '../support/bundled-library.js'
import { KEY, PURPOSE, readEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** What happens to calls that go on in the background when the process exits: they end after all that is done on exit. */

const inFolder = temporaryFolder()
let run: Awaited<ReturnType<typeof bundleLibrary>>

beforeAll(async () => {
  run = await bundleLibrary()
})

const MIB = 2 ** 20
const PRELUDE = `
const keyManager = sealfile.KeyManager.fromKey(Buffer.from('${Buffer.from(KEY).toString('hex')}', 'hex'))
const options = { keyManager, purpose: '${PURPOSE}' }
const file = await sealfile.EncryptedFile.open(process.argv[1], 'w', options)
const content = Buffer.alloc(5 * ${MIB}, 'some text ')
/** Keeps all threads of the pool busy, so that no write of ours ends before the process does. */
const { pbkdf2 } = await import('node:crypto')
for (let i = 0; i < 4; i++) pbkdf2('x', 'y', 400_000, 32, 'sha256', () => undefined)
// What is freed too early would be written over by this, and then to the file.
process.on('exit', () => { for (let i = 0; i < 200; i++) Buffer.alloc(65_536, 'EVIL') })
`

describe('with writes on their way', () => {
  test.each([
    ['of a new file, by process.exit', `void file.write(content); await new Promise(setImmediate); process.exit(0)`],
    ['of a new file, by an error', `void file.write(content); await new Promise(setImmediate); throw new Error('no')`],
    ['while it closes', `void file.write(content); void file.close(); await new Promise(setImmediate); process.exit(0)`],
    ['while it syncs', `void file.write(content); void file.sync(); await new Promise(setImmediate); process.exit(0)`],
  ])('all is there after an exit: %s', (name, script) => {
    const path = inFolder(name.replaceAll(/\W/g, '-'))
    run(PRELUDE + script, path)
    const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
    const content = readEncrypted(path)
    expect(content.length).toBe(5 * MIB)
    expect(hash(content)).toBe(hash(Buffer.alloc(5 * MIB, 'some text ')))
  })
})

describe('what is on its way does not come to lie over what is written on exit', () => {
  const SEGMENT = 4_096
  /** All threads of the pool become busy when a call is made for which \`isIt\`, and then the process exits. */
  const SCRIPT_PRELUDE = `
    const fs = (await import('node:fs')).default
    const { pbkdf2 } = await import('node:crypto')
    function exitAt(name, isIt) {
      const call = fs[name]
      fs[name] = (...args) => {
        if (isIt(args)) {
          for (let i = 0; i < 4; i++) pbkdf2('x', 'y', 200_000, 32, 'sha256', () => undefined)
          setImmediate(() => process.exit(0))
        }
        return call(...args)
      }
    }
    const fill = (segments, letter) => Buffer.alloc(segments * ${SEGMENT}, letter)
    const keyManager = sealfile.KeyManager.fromKey(Buffer.from('${Buffer.from(KEY).toString('hex')}', 'hex'))
    const options = { keyManager, purpose: '${PURPOSE}', segmentSize: ${SEGMENT}, commitInterval: 2 ** 31 - 1 }
    const path = process.argv[1]
    const file = await sealfile.EncryptedFile.open(path, 'w+', options)
  `

  test.each([
    [
      'a redo list, whose place new segments take',
      `await file.write(fill(4, 'a')); await file.sync(); await file.write(fill(1, 'b'), 0, null, 0)
      exitAt('writev', ([, buffers]) => buffers.length === 2)
      await file.append(fill(2_048, 'c'))`,
      `baaa${'c'.repeat(2_048)}`,
    ],
    [
      'segments that are cut off, and others come to their places',
      `await file.write(fill(1, 'a')); await file.sync()
      exitAt('writev', () => true)
      void file.append(fill(200, 'b')); void file.truncate(${SEGMENT}); void file.commit(); void file.append(fill(200, 'c'))`,
      `a${'c'.repeat(200)}`,
    ],
    [
      'a cut, and the file grows again',
      `await file.write(fill(8, 'a')); await file.sync(); await file.truncate(${SEGMENT})
      exitAt('ftruncate', () => true)
      void file.commit(); await file.append(fill(8, 'c'))`,
      'acccccccc',
    ],
  ])('%s', (name, script, letters) => {
    const path = inFolder(name.replaceAll(/\W/g, '-'))
    const { status, stderr } = run(SCRIPT_PRELUDE + script, path)
    expect(status, stderr).toBe(0)
    const content = readEncrypted(path)
    expect(content.length).toBe(letters.length * SEGMENT)
    const found = Array.from(letters, (_, i) => content.toString('latin1', i * SEGMENT, i * SEGMENT + 1))
    expect(found.join('')).toBe(letters)
  })

  test('a lock that is being removed is removed once: it may be that of another by then', () => {
    const path = inFolder('removing-the-lock')
    const script = `
      await file.write('text')
      exitAt('unlink', () => true)
      process.on('exit', () => { process.exitCode = fs.readlinkSync(path + '.sealfile-lock') === '' ? 8 : 7 })
      void file.close()
    `
    const { status, stderr } = run(SCRIPT_PRELUDE + script, path)
    expect(status, stderr).toBe(7)
    expect(readEncrypted(path).toString()).toBe('text')
  })
})

test('a call on a file that was closed meanwhile is not waited for', () => {
  const fd = openSync(inFolder('closed'), 'w+')
  const isWritten = endIsWritten(fd, [Buffer.from('text')], 0)
  expect([isWritten(), isCutTo(fd, 5)]).toEqual([false, false])
  closeSync(fd)
  expect([isWritten(), isCutTo(fd, 5)]).toEqual([true, true])
})
