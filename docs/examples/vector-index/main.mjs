import { readFile } from 'node:fs/promises'
import { create, insertMultiple, search } from '@orama/orama'
import { persist, restore } from '@orama/plugin-data-persistence'
import { EncryptedFile } from 'sealfile'
import { codeOf, openKeys, run } from '../keys.mjs'
import { DIMENSIONS, embed } from './embed.mjs'

const PATH = 'notes.index'

/**
 * Makes an index of notes if there is none, and searches the one on the disk. Orama's `persistToFile` would write it in clear; `persist` and
 * `restore` give and take the same content, which goes through sealfile and so never lies on the disk as it is.
 */
run(async () => {
  const query = process.argv.slice(2).join(' ') || 'when does the train go?'
  const options = { keyManager: await openKeys(), purpose: 'vectors' }

  const index = await openIndex(options)
  const { hits } = await search(index, {
    mode: 'vector',
    vector: { value: embed(query), property: 'embedding' },
    similarity: 0.1,
    limit: 3,
  })
  for (const { score, document } of hits) console.log(score.toFixed(2), document.text)
})

/** @param {import('sealfile').OpenOptions} options */
async function openIndex(options) {
  const saved = await EncryptedFile.readFile(PATH, { ...options, encoding: 'utf8' }).catch((/** @type {unknown} */ error) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (saved !== undefined) return restore('json', saved)

  const notes = (await readFile(new URL('notes.txt', import.meta.url), 'utf8')).trimEnd().split('\n')
  const index = create({ schema: { text: 'string', embedding: `vector[${DIMENSIONS}]` } })
  await insertMultiple(
    index,
    notes.map((text) => ({ text, embedding: embed(text) })),
  )
  await EncryptedFile.writeFile(PATH, /** @type {string} */ (await persist(index, 'json')), options)
  console.error(`made ${PATH} of ${notes.length} notes`)
  return index
}
