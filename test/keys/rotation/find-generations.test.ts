import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildKeySlot, findKeySlot } from '../../../src/container/key-slots.js'
import { findGenerations, type GenerationsReport } from '../../../src/keys/rotation/find-generations.js'
import { rewrap } from '../../../src/keys/rotation/rewrap.js'
import { KeyManager } from '../../../src/index.js'
import { sealfileError } from '../../support/encrypted-files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { makeFile, NEW, NEWER, OLD, OTHER, PURPOSE, slotsOf, streamOf } from './support.js'

const inFolder = temporaryFolder()

function countsOf({ generations }: GenerationsReport): Record<number, number> {
  return Object.fromEntries([...generations].map(([generation, { count }]) => [generation, count]))
}

/** Writes one of the slots of a file. */
function putSlot(path: string, slot: number, bytes: Uint8Array): void {
  const content = readFileSync(path)
  content.set(bytes, 96 + 96 * slot)
  writeFileSync(path, content)
}

test('counts files by generation, whatever their purpose, and tells what it cannot know', async () => {
  const folder = inFolder('all')
  mkdirSync(join(folder, 'deep'), { recursive: true })
  makeFile(join(folder, 'deep/a'), 'a', NEWER, { purpose: 'another' })
  makeFile(join(folder, 'b'), 'b', OLD)
  writeFileSync(join(folder, 'c'), await streamOf('c', OLD))
  makeFile(join(folder, 'd'), 'd', OTHER)
  writeFileSync(join(folder, 'e'), 'not encrypted')
  writeFileSync(join(folder, 'f'), readFileSync(join(folder, 'b')).subarray(0, 500))
  linkSync(join(folder, 'b'), join(folder, 'g'))
  const report = await findGenerations(NEWER, [folder, inFolder('missing')])
  expect(countsOf(report)).toEqual({ 1: 3, 3: 1 })
  expect([...report.generations.keys()]).toEqual([1, 3])
  expect(report.generations.get(3)).toEqual({ count: 1, path: join(folder, 'deep/a') })
  expect(report).toMatchObject({ files: 8, foreign: { count: 1, path: join(folder, 'd') }, notEncrypted: 1 })
  expect(new Map(report.failures.map(({ path, error }) => [path, (error as { code: string }).code]))).toEqual(
    new Map([
      [join(folder, 'f'), 'ERR_SEALFILE_TRUNCATED'],
      [inFolder('missing'), 'ENOENT'],
    ]),
  )
})

test('a file in the middle of being rewrapped needs both', async () => {
  const path = inFolder('middle')
  makeFile(path, 'content', OLD)
  const [old] = slotsOf(path).map((slot) => Buffer.from(slot))
  await rewrap(NEW, path, { purpose: PURPOSE })
  expect(countsOf(await findGenerations(NEW, path))).toEqual({ 2: 1 })
  putSlot(path, 0, old!)
  expect(countsOf(await findGenerations(NEW, path))).toEqual({ 1: 1, 2: 1 })
})

test('believes no header that the keyring did not make, and forgets none', async () => {
  const path = inFolder('forged')
  makeFile(path, 'content', OLD)
  const bytes = readFileSync(path)
  const { content } = findKeySlot(bytes)
  const forge = (changes: object): Uint8Array => buildKeySlot(bytes.subarray(0, 96), 1, { ...content, sequence: 9, ...changes })
  const cases = [
    [{ generation: 2 }, 'ERR_SEALFILE_FORMAT_HEADER', { 1: 1 }],
    [{ generation: 7 }, 'ERR_SEALFILE_NO_GENERATION', { 1: 1 }],
    [{ keyringId: OTHER.id }, undefined, { 1: 1 }],
    [{ sequence: 1, generation: 2 }, undefined, { 1: 1 }],
  ] as const
  for (const [changes, code, counts] of cases) {
    writeFileSync(path, bytes)
    putSlot(path, 1, forge(changes))
    const report = await findGenerations(NEW, path)
    expect(countsOf(report)).toEqual(counts)
    expect(report.failures).toEqual(code === undefined ? [] : [{ path, error: sealfileError(code, { path }) }])
  }
  writeFileSync(path, bytes)
  putSlot(path, 0, forge({}))
  const report = await findGenerations(NEW, path)
  expect(countsOf(report)).toEqual({})
  expect(report.failures).toEqual([{ path, error: sealfileError('ERR_SEALFILE_FORMAT_HEADER', { path }) }])
})

test('stops when it is told to, and without keys', async () => {
  const path = inFolder('stop')
  makeFile(path, 'content')
  await expect(findGenerations(NEW, path, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' })
  const closed = KeyManager.fromKey(new Uint8Array(32).fill(1))
  makeFile(path, 'content', closed)
  closed.close()
  await expect(findGenerations(closed, path)).rejects.toThrow(sealfileError('ERR_SEALFILE_CLOSED'))
  // Nothing can be said either where the slot that counts is foreign, and the other may need a generation.
  const { content } = findKeySlot(readFileSync(path))
  putSlot(path, 1, buildKeySlot(readFileSync(path).subarray(0, 96), 1, { ...content, keyringId: OTHER.id, sequence: 9 }))
  await expect(findGenerations(closed, path)).rejects.toThrow(sealfileError('ERR_SEALFILE_CLOSED'))
})
