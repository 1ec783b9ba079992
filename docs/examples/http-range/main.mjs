import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import express from 'express'
import { EncryptedFile } from 'sealfile'
import { codeOf, openKeys, run } from '../keys.mjs'
import { sendEncrypted } from './send-encrypted.mjs'

const FOLDER = 'files'
/** No folders, nothing hidden, and not sealfile's own locks and temporary files. */
const NAME = /^(?!.*\.sealfile-)[\w-][\w.-]{0,100}$/
/** @type {Record<string, number>} */
const STATUS = { ENOENT: 404, ERR_SEALFILE_LOCKED: 503 }

/** Takes files with PUT, and gives them, or ranges of them, with GET. */
run(async () => {
  const keyManager = await openKeys()
  await mkdir(FOLDER, { recursive: true })

  /** A file is bound to its name: it does not open in another one's place. @param {string} name */
  const optionsFor = (name) => ({ keyManager, purpose: 'files', context: Buffer.from(name) })

  const app = express()
  app.param('name', (_request, response, next, /** @type {string} */ name) => {
    if (NAME.test(name)) next()
    else response.sendStatus(404)
  })
  app.get('/files/:name', async (request, response) => {
    const { name } = request.params
    await sendEncrypted(request, response, join(FOLDER, name), optionsFor(name))
  })
  app.put('/files/:name', async (request, response) => {
    const { name } = request.params
    // Takes the place of what was there when all of it has come; an upload that is broken off changes nothing.
    await EncryptedFile.writeFile(join(FOLDER, name), request, { ...optionsFor(name), lockTimeout: 1_000 })
    response.sendStatus(204)
  })
  app.use(answerError)

  const server = app.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', (error) => {
    if (error) throw error
    const address = server.address()
    console.log(`http://127.0.0.1:${typeof address === 'object' ? address?.port : address}/files/`)
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close())
})

/**
 * Express knows it by its four parameters.
 *
 * @param {unknown} error
 * @param {import('express').Request} request
 * @param {import('express').Response} response
 * @param {import('express').NextFunction} next
 */
function answerError(error, request, response, next) {
  // Express breaks the answer off: what was sent is genuine, and not all of it.
  if (response.headersSent) {
    next(error)
    return
  }
  const status = STATUS[codeOf(error) ?? ''] ?? 500
  if (status === 500) console.error(`${request.method} ${request.url}:`, error instanceof Error ? error.message : error)
  response.sendStatus(status)
}
