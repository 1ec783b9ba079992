import type { Stats } from 'node:fs'
import { lstat, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { invalidArgType } from '../argument-errors.js'
import { ConfigError } from '../errors.js'
import type { PathLike } from '../file/io/steps.js'
import { nameOf } from '../file/open-file.js'

/** The names of a configuration. */
export const CONFIG_NAMES = ['sealfile.config.json', 'sealfile.config.yaml', 'sealfile.config.yml'] as const

/** Where a configuration is looked for. */
export interface FindConfigOptions {
  /**
   * The folder that is looked into first; then the one around it, and so on.
   *
   * @defaultValue the current folder
   */
  readonly from?: PathLike | undefined
}

/**
 * Looks for `sealfile.config.json`, `sealfile.config.yaml` or `sealfile.config.yml` in a folder, and in those around it up to the root. The first
 * that is found must belong to the user who runs the program or to root, and not be writable by everybody: whoever can lay a file into a
 * folder above, such as a folder for temporary files, could else choose the keyring and what a passphrase costs.
 *
 * @returns its absolute path, or undefined.
 * @throws TypeError; ConfigError `ERR_SEALFILE_CONFIG` where one is not to be trusted, or a folder has two.
 */
export async function findConfig(options: FindConfigOptions = {}): Promise<string | undefined> {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null) {
    throw invalidArgType('options', 'of type object', options)
  }
  const { from = process.cwd() } = options
  let folder = resolve(nameOf(from))
  for (;;) {
    const found: string[] = []
    for (const name of CONFIG_NAMES) if (await exists(join(folder, name))) found.push(name)
    if (found.length > 1) throw new ConfigError(`there is more than one configuration: ${found.join(', ')}`, { path: folder })
    if (found.length === 1) {
      const path = join(folder, found[0]!)
      await checkOwner(path)
      return path
    }
    const around = dirname(folder)
    if (around === folder) return undefined
    folder = around
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    // A link that leads nowhere is there, too: it is not passed over for what lies above.
    await lstat(path)
    return true
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

/** Both of a link and of what it leads to. */
async function checkOwner(path: string): Promise<void> {
  checkTrust(await lstat(path), path)
  checkTrust(await stat(path), path)
}

/** @throws ConfigError where somebody else could have written a file. */
export function checkTrust(stats: Stats, path: string): void {
  const user = process.getuid?.()
  if (user === undefined) return
  const isForeign = stats.uid !== user && stats.uid !== 0
  // A link has no permissions of its own.
  const isOpen = !stats.isSymbolicLink() && (stats.mode & 0o002) !== 0
  if (!isForeign && !isOpen) return
  const reason = isForeign ? 'it belongs to another user' : 'everybody can write to it'
  throw new ConfigError(`a configuration was found that is not used, because ${reason}; give its path if it is to be used`, {
    path,
  })
}
