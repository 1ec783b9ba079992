import type { Command } from 'commander'
import type { Bind, Call } from '../call.js'
import { openInput } from '../content.js'
import { addLockTimeout, addPurpose, addShape, openOptions, type ShapeOptions } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { formatSize } from '../sizes.js'

interface Options extends ShapeOptions {
  readonly lockTimeout?: number
}

export function addAppend(program: Command, bind: Bind): void {
  const command = program
    .command('append')
    .summary('append to an encrypted file')
    .description(
      'Append to an encrypted file, which is made where there is none. What has come is kept, whatever ends the command.',
    )
    .argument('<file>', 'encrypted file')
    .argument('[input]', 'file, or - for standard input', '-')
  addLockTimeout(addShape(addPurpose(command)))
  bind<Options, [string, string]>(command, append)
}

async function append(call: Call<Options>, path: string, from: string): Promise<undefined> {
  const { lockTimeout } = call.options
  call.settings.purposeOf(path)
  const { EncryptedFile } = await import('sealfile')
  const { stream, mode } = await openInput(from)
  const size = await withKeys(call, async (keyManager) => {
    const file = await EncryptedFile.open(path, 'a', { ...openOptions(call, keyManager, path), lockTimeout, mode })
    let written = 0
    // Ends the waiting for more, and not a write.
    call.signal.addEventListener('abort', () => stream.destroy(), { once: true })
    if (call.signal.aborted) stream.destroy()
    try {
      for await (const piece of stream as AsyncIterable<Uint8Array>) {
        await file.write(piece)
        written += piece.length
      }
    } catch (error) {
      if (!call.signal.aborted) throw error
    } finally {
      try {
        await file.sync()
      } finally {
        await file.close()
      }
    }
    return written
  })
  await call.report.done({ command: 'append', file: path, size }, `${path}: ${formatSize(size)} appended`)
  return undefined
}
