import { copyFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { GroupKeys } from '../../src/batch/group-keys.js'
import { createDesk, KeyDesk, RemoteKeys } from '../../src/batch/shared-desk.js'
import { EncryptedFile, KeyManager, type FileKeyRequest, type KeySource, type WrappedFileKey } from '../../src/index.js'
import { OPTIONS, OTHER_KEY, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const OTHERS = KeyManager.fromKey(OTHER_KEY)

/** Keys of a group, and how often the main thread was asked for one. */
function makeGroup() {
  let asked = 0
  const main: KeySource = {
    wrapFileKey: (request: FileKeyRequest, dek: Uint8Array) => OPTIONS.keyManager.wrapFileKey(request, dek),
    unwrapFileKey(request: FileKeyRequest, wrapped: WrappedFileKey) {
      asked++
      return OPTIONS.keyManager.unwrapFileKey(request, wrapped)
    },
  }
  const memory = createDesk()
  const desk = new KeyDesk(memory, main)
  const group = new GroupKeys(new RemoteKeys(memory, () => void desk.answer()))
  const learn = (paths: readonly string[]): void =>
    group.learn(paths.map((path) => ({ source: path, target: path, purpose: 'test', token: '' })))
  const read = (path: string): string => EncryptedFile.readFileSync(path, { keyManager: group, purpose: 'test' }).toString()
  return { group, learn, read, asked: () => asked }
}

test('each of several copies of a file gets the key that was asked for it', () => {
  const { group, learn, read, asked } = makeGroup()
  const [one, other] = [inFolder('one'), inFolder('other')]
  writeEncrypted(one, 'content')
  copyFileSync(one, other)
  learn([one, other])
  expect([read(one), read(other), asked()]).toEqual(['content', 'content', 2])
  group.forget()
})

test('a key that is none of ours takes no others along but those that were asked for with it', () => {
  const { group, learn, read, asked } = makeGroup()
  const paths = Array.from({ length: 65 }, (_, i) => inFolder(`many-${i}`))
  for (const [i, path] of paths.entries()) writeEncrypted(path, `${i}`, i === 64 ? { keyManager: OTHERS } : {})
  learn(paths)
  const before = asked()
  expect(paths.slice(0, 64).map(read)).toEqual(paths.slice(0, 64).map((_, i) => `${i}`))
  expect(asked()).toBe(before)
  group.forget()
})
