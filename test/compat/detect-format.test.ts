import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { detectFormat } from '../../src/compat.js'
import { writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()

test.each([
  ['', 'empty'],
  ['text', 'plain'],
  ['AIC', 'plain'],
  ['AICO', 'aico'],
  ['AICOxxxxxxxxxxxxxxxxxxxxxx', 'aico'],
  ['age-encryption.org/v1\n-> X25519 ', 'age'],
  ['age-encryption.org/v2\n', 'age'],
  ['age-encryption', 'plain'],
  ['-----BEGIN AGE ENCRYPTED FILE-----\n', 'age-armored'],
  [' \r\n\t-----BEGIN AGE ENCRYPTED FILE-----\r\n', 'age-armored'],
  ['x-----BEGIN AGE ENCRYPTED FILE-----\n', 'plain'],
  ['\xd3SEAL\r\n\x1a', 'sealfile'],
  ['\xd3SEAL', 'sealfile'],
  ['\xd3SEAL\n\x1a and so on', 'sealfile'],
  ['\xd3SEA', 'plain'],
  ['\xd3', 'plain'],
])('%j is %s', async (start, format) => {
  const path = inFolder('file')
  writeFileSync(path, start, 'latin1')
  expect(await detectFormat(path)).toBe(format)
})

test('a file of ours is known, and system errors are as they are', async () => {
  const path = inFolder('ours')
  writeEncrypted(path, 'text')
  expect(await detectFormat(Buffer.from(path))).toBe('sealfile')
  await expect(detectFormat(inFolder('none'))).rejects.toMatchObject({ code: 'ENOENT' })
  mkdirSync(inFolder('folder'))
  await expect(detectFormat(inFolder('folder'))).rejects.toMatchObject({ code: 'EISDIR' })
})
