import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { KeyManager, OpenOptions } from 'sealfile'
import type { Bind, Call } from '../call.js'
import { isPipe, isStandard, openInput, PRIVATE, refuseTerminal, standardOutput, type Input } from '../content.js'
import { addForce, addPurpose, addShape, openOptions, type ShapeOptions } from '../file-options.js'
import { createPrivate, makeFile } from '../new-file.js'
import { withKeys } from '../open-keys.js'
import { ByteCounter, withProgress } from '../progress.js'
import { formatSize } from '../sizes.js'

interface Options extends ShapeOptions {
  readonly force?: boolean
  readonly stream?: boolean
}

export function addEncrypt(program: Command, bind: Bind): void {
  const command = program
    .command('encrypt')
    .summary('encrypt one file, or a pipe')
    .description('Encrypt one file. Output that is a pipe is a stream, which can be decrypted, but not be edited.')
    .argument('[input]', 'file, or - for standard input', '-')
    .argument('[output]', 'file, or - for standard output', '-')
  addForce(addShape(addPurpose(command)), 'replace the output; let ciphertext go to a terminal')
  command.option('--stream', 'make a stream in any case')
  bind<Options, [string, string]>(command, encrypt)
}

async function encrypt(call: Call<Options>, from: string, to: string): Promise<undefined> {
  const { force = false } = call.options
  if (isStandard(to)) refuseTerminal(force)
  call.settings.purposeOf(to)
  const input = await openInput(from)
  const size = await withKeys(call, (keyManager) => write(call, keyManager, input, to))
  const facts = { command: 'encrypt', input: from, output: to, size }
  await call.report.done(facts, `${to}: ${formatSize(size)} encrypted`, isStandard(to) ? 'stdout' : 'file')
  return undefined
}

/** @returns bytes of plaintext. */
async function write(call: Call<Options>, keyManager: KeyManager, input: Input, to: string): Promise<number> {
  const { signal, report } = call
  const { force = false, stream = false } = call.options
  const options = openOptions(call, keyManager, to)
  const counter = new ByteCounter()
  await withProgress(report, 'encrypting', async (progress) => {
    const pieces = counter.pass(input.stream, input.size, progress)
    if (await isPipe(to)) await seal(pieces, options, isStandard(to) ? standardOutput() : createWriteStream(to), signal)
    else {
      await makeFile(to, { force, mode: input.mode }, async (temporary) => {
        if (stream) await seal(pieces, options, createPrivate(temporary), signal)
        else await writeEditable(temporary, pieces, options, signal)
      })
    }
  })
  return counter.size
}

async function seal(
  pieces: AsyncIterable<Uint8Array>,
  options: OpenOptions,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<void> {
  const { createEncryptStream } = await import('sealfile')
  await pipeline(pieces, createEncryptStream(options), output, { signal })
}

async function writeEditable(
  path: string,
  pieces: AsyncIterable<Uint8Array>,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<void> {
  const { EncryptedFile } = await import('sealfile')
  await EncryptedFile.writeFile(path, pieces, { ...options, mode: PRIVATE, flag: 'wx', flush: true, signal })
}
