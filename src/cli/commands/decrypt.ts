import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { KeyManager } from 'sealfile'
import type { Bind, Call } from '../call.js'
import { isPipe, isStandard, openInput, PRIVATE, seekablePath, takeStandardInput, writeOut } from '../content.js'
import { addForce, addPurpose, openOptions } from '../file-options.js'
import { createPrivate, makeFile } from '../new-file.js'
import { withKeys } from '../open-keys.js'
import { ByteCounter, withProgress } from '../progress.js'
import { formatSize } from '../sizes.js'

interface Options {
  readonly force?: boolean
}

/** Plaintext, and what is known of it before it was read. */
interface Plaintext {
  readonly pieces: AsyncIterable<Uint8Array>
  readonly size: number | undefined
  readonly mode: number
}

export function addDecrypt(program: Command, bind: Bind): void {
  const command = program
    .command('decrypt')
    .summary('decrypt one file, or a pipe')
    .description(
      'Decrypt one file. An output file has its name once all of it has authenticated. ' +
        'Standard output gets it as it comes: treat it as incomplete unless the exit code is 0.',
    )
    .argument('[input]', 'file, or - for standard input', '-')
    .argument('[output]', 'file, or - for standard output', '-')
  addForce(addPurpose(command), 'replace the output; let binary content go to a terminal')
  bind<Options, [string, string]>(command, decrypt)
}

async function decrypt(call: Call<Options>, from: string, to: string): Promise<undefined> {
  const { force = false } = call.options
  call.settings.purposeOf(from)
  if (isStandard(from)) takeStandardInput()
  const size = await withKeys(call, (keyManager) =>
    withPlaintext(call, keyManager, from, (plaintext) => write(call, plaintext, to, force)),
  )
  const facts = { command: 'decrypt', input: from, output: to, size }
  await call.report.done(facts, `${to}: ${formatSize(size)} decrypted`, isStandard(to) ? 'stdout' : 'file')
  return undefined
}

/** Gives the content of an encrypted file, of which nothing comes that was not authenticated. */
async function withPlaintext<T>(
  call: Call<Options>,
  keyManager: KeyManager,
  from: string,
  use: (plaintext: Plaintext) => Promise<T>,
): Promise<T> {
  const { createDecryptStream, EncryptedFile } = await import('sealfile')
  const options = openOptions(call, keyManager, from)
  const path = seekablePath(from)
  if (path === undefined || (await isPipe(path))) {
    const { stream, mode } = await openInput(from)
    const decrypting = createDecryptStream(options)
    // What fails on the one side is an error of the other.
    pipeline(stream, decrypting, { signal: call.signal }).catch(() => undefined)
    return use({ pieces: decrypting, size: undefined, mode })
  }
  const file = await EncryptedFile.open(path, 'r', options)
  try {
    const { size, mode } = await file.stat()
    return await use({ pieces: file.createReadStream({ autoClose: false }), size, mode: isStandard(from) ? PRIVATE : mode & 0o777 })
  } finally {
    await file.close()
  }
}

/** @returns bytes of plaintext. */
async function write(call: Call<Options>, { pieces, size, mode }: Plaintext, to: string, force: boolean): Promise<number> {
  const { signal, report } = call
  const counter = new ByteCounter()
  await withProgress(report, 'decrypting', async (progress) => {
    const content = counter.pass(pieces, size, progress)
    if (isStandard(to)) await writeOut(content, force, signal)
    else if (await isPipe(to)) await pipeline(content, createWriteStream(to), { signal })
    else {
      await makeFile(to, { force, mode }, (temporary) => pipeline(content, createPrivate(temporary), { signal }))
    }
  })
  return counter.size
}
