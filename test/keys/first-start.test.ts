import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { batchProcess } from '../support/batch-process.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const ROUNDS = process.env['SLOW'] === '1' ? 500 : 30
const PROCESSES = 4

const at = temporaryFolder()

/**
 * Opens the keyring or makes it, as docs/keys.md says, in one folder after the other, each as soon as it is there; and looks meanwhile
 * whether there is ever less than a whole one.
 */
const start = batchProcess(`
import { existsSync, readFileSync } from 'node:fs'
const { KeyManager, EncryptedFile } = sealfile
const [folder, rounds, name] = process.argv.slice(2)
const options = { key: new Uint8Array(32).fill(0x52) }

async function openKeys(path) {
  try {
    return await KeyManager.open(path, options)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  try {
    return await KeyManager.create(path, options)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  return KeyManager.open(path, options)
}

for (let round = 0; round < Number(rounds); round++) {
  const place = folder + '/' + round
  while (!existsSync(place)) {
    if (!existsSync(folder)) process.exit(1) // the test is over, and has not gone well
    await new Promise(setImmediate)
  }
  let isDone = false
  const watch = (async () => {
    while (!isDone) {
      const path = place + '/ring.json'
      if (existsSync(path)) JSON.parse(readFileSync(path, 'utf8'))
      await new Promise(setImmediate)
    }
  })()
  const keyManager = await openKeys(place + '/ring.json')
  await EncryptedFile.writeFile(place + '/' + name, name, { keyManager, purpose: 'race' })
  isDone = true
  await watch
  say(Buffer.from(keyManager.id).toString('hex'))
}
`)

test('several first starts at once have one keyring, and nobody finds less than a whole one', async () => {
  const children = Array.from({ length: PROCESSES }, (_, index) => start([at('.'), String(ROUNDS), `file-${index}`]))
  const files = Array.from({ length: PROCESSES }, (_, index) => `file-${index}`)
  const said = children.map(() => 0)
  let open = -1
  const next = () => {
    if (Math.min(...said) <= open || ++open >= ROUNDS) return
    mkdirSync(at(String(open)))
  }
  for (const [index, child] of children.entries()) {
    child.onSay = () => {
      said[index]!++
      next()
    }
  }
  next()
  const ids = await Promise.all(children.map((child) => child.end()))
  for (let round = 0; round < ROUNDS; round++) {
    const { id } = JSON.parse(readFileSync(at(`${round}/ring.json`), 'utf8')) as { id: string }
    const expected = Buffer.from(id, 'base64url').toString('hex')
    expect(
      ids.map((each) => each[round]),
      `round ${round}`,
    ).toEqual(files.map(() => expected))
    expect(readdirSync(at(String(round))).sort()).toEqual([...files, 'ring.json'])
  }
})
