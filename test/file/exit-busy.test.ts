import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
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
