import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { OPTIONS } from '../../support/encrypted-files.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

export const COMMON = { keyManager: OPTIONS.keyManager as never, purpose: 'test' }

/** Makes paths and trees in a folder that is gone when the test file has run. */
export function workshop() {
  const inFolder = temporaryFolder()
  let count = 0
  const freshPath = (name = 'path'): string => inFolder(`${name}-${count++}`)
  /** @returns a new folder with files in it, by their paths; folders end with a slash. */
  const makeTree = (files: Readonly<Record<string, string | Uint8Array>>): string => {
    const folder = freshPath('tree')
    mkdirSync(folder)
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(path.endsWith('/') ? join(folder, path) : dirname(join(folder, path)), { recursive: true })
      if (!path.endsWith('/')) writeFileSync(join(folder, path), content)
    }
    return folder
  }
  return { freshPath, makeTree }
}

/** @returns all that can be told of a tree: kinds, permission bits, and of files times in milliseconds and content; names are latin1. */
export function describeTree(folder: string): Record<string, string> {
  const found: Record<string, string> = {}
  const root = Buffer.from(`${folder}/`)
  const look = (within: Buffer): void => {
    for (const name of readdirSync(Buffer.concat([root, within]), { encoding: 'buffer' as never }) as unknown as Buffer[]) {
      const path = Buffer.concat([within, name])
      const place = Buffer.concat([root, path])
      const stats = lstatSync(place)
      const mode = (stats.mode & 0o777).toString(8)
      if (stats.isSymbolicLink()) continue
      if (stats.isDirectory()) {
        found[path.toString('latin1')] = `folder ${mode}`
        look(Buffer.concat([path, Buffer.from('/')]))
      } else found[path.toString('latin1')] = `${mode} ${Math.round(stats.mtimeMs)} ${hash(readFileSync(place))}`
    }
  }
  look(Buffer.alloc(0))
  return found
}

function hash(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Gives files and folders of a tree permission bits of their own. */
export function varyModes(folder: string): void {
  for (const [index, name] of readdirSync(folder, { recursive: true, encoding: 'utf8' }).entries()) {
    const path = join(folder, name)
    chmodSync(path, lstatSync(path).isDirectory() ? [0o755, 0o700][index % 2]! : [0o644, 0o600, 0o755, 0o400][index % 4]!)
  }
}
