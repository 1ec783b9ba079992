import { readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import type { FileInfo, KeyManager, OpenOptions } from 'sealfile'
import type { Bind, Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { findEditor, runEditor } from '../editor.js'
import { exitCodeOf } from '../exit-codes.js'
import { addPurpose, addShape, openOptions, type ShapeOptions } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { PrivateFolder } from '../private-folder.js'

/** A file as it was when it was read; without a state where there is none yet. */
interface Version {
  readonly content: Buffer
  readonly info?: FileInfo
  readonly inode?: number
}

export function addEdit(program: Command, bind: Bind): void {
  const command = program
    .command('edit')
    .summary('edit an encrypted file')
    .description(
      'Edit a file with VISUAL or EDITOR. Its content is meanwhile in a private folder, in memory where there is one, ' +
        'which is overwritten and removed. A file that is not there is made.',
    )
    .argument('<file>', 'encrypted file')
  bind<ShapeOptions, [string]>(addShape(addPurpose(command)), edit)
}

async function edit(call: Call<ShapeOptions>, path: string): Promise<undefined> {
  const editor = findEditor()
  call.settings.purposeOf(path)
  await withKeys(call, async (keyManager) => {
    const before = await readVersion(call, keyManager, path)
    const folder = await PrivateFolder.create()
    if (!folder.isInMemory) await call.report.note(`${folder.path} is on a disk, where traces of the content may stay`)
    let content: Buffer | undefined
    try {
      const temporary = join(folder.path, basename(path).replace(/(?<=.)\.enc$/, ''))
      await writeFile(temporary, before.content, { flag: 'wx', mode: 0o600 })
      await runEditor(editor, temporary, call.signal)
      content = await readFile(temporary)
      if (content.equals(before.content) && before.info !== undefined) {
        await tell(call, path, false)
        return
      }
      try {
        await save(call, keyManager, path, before, content)
      } catch (error) {
        folder.keep()
        const message = `what was edited could not be saved: ${(error as Error).message}`
        throw new CommandError(message, {
          hint: `It is in ${temporary}, not encrypted. Put it elsewhere, and remove ${folder.path}.`,
          exitCode: exitCodeOf(error),
        })
      }
      await tell(call, path, true)
    } finally {
      before.content.fill(0)
      content?.fill(0)
      await folder.remove()
    }
  })
  return undefined
}

async function tell({ report }: Call, path: string, isChanged: boolean): Promise<void> {
  await report.done({ command: 'edit', file: path, isChanged }, `${path}: ${isChanged ? 'saved' : 'unchanged'}`)
}

async function readVersion(call: Call, keyManager: KeyManager, path: string): Promise<Version> {
  const { EncryptedFile } = await import('sealfile')
  try {
    const file = await EncryptedFile.open(path, 'r', openOptions(call, keyManager, path))
    try {
      const content = await file.readFile({ signal: call.signal })
      return { content, info: await file.info(), inode: (await stat(path)).ino }
    } finally {
      await file.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return { content: Buffer.alloc(0) }
  }
}

/** Saves also when a signal has ended the editor: what it had saved is what was wanted. */
async function save(call: Call, keyManager: KeyManager, path: string, before: Version, content: Buffer): Promise<void> {
  const { EncryptedFile } = await import('sealfile')
  const options = openOptions(call, keyManager, path)
  const { info, inode } = before
  if (info === undefined) return EncryptedFile.writeFile(path, content, { ...options, mode: 0o600, flag: 'wx', flush: true })
  const { segmentSize, cipher } = info
  // From here on nobody else writes.
  const next = await EncryptedFile.open(path, 'w', { segmentSize, cipher, ...withoutUndefined(options), atomic: true })
  try {
    const now = await readState(path, options)
    if (now.sequence !== info.sequence || now.size !== info.size || now.inode !== inode) {
      throw new Error('somebody else has changed the file meanwhile')
    }
    await next.write(content)
  } catch (error) {
    await next.discard()
    throw error
  }
  await next.close()
}

async function readState(path: string, options: OpenOptions): Promise<FileInfo & { readonly inode: number }> {
  const { EncryptedFile } = await import('sealfile')
  const file = await EncryptedFile.open(path, 'r', options)
  try {
    return { ...(await file.info()), inode: (await stat(path)).ino }
  } finally {
    await file.close()
  }
}

/** What the options leave open stays as it was. */
function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
