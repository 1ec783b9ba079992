import { statSync, type Stats } from 'node:fs'
import { KeyringError } from '../errors.js'
import { nodeDisk } from '../file/io/node-disk.js'
import { AsyncRunner, runSync } from '../file/io/runners.js'
import type { Disk, Steps } from '../file/io/steps.js'
import { discardSuccessor } from '../file/successor-file.js'
import type { Edit } from './keyring-edits.js'
import {
  backupPath,
  beginKeyringFile,
  changeKeyringFile,
  checkKeyringPath,
  describePath,
  findKeyring,
  publishKeyringFile,
  readKeyringFile,
  type KeyringPath,
} from './keyring-file.js'
import { parseAuthentic, sealKeyring } from './keyring-keys.js'
import { MAX_KEYRING_SIZE, parseKeyring, type Keyring } from './keyring.js'

/** How a keyring is changed on the disk. */
export interface KeyringChangeOptions {
  /**
   * Milliseconds to wait for another process that changes the keyring.
   *
   * @defaultValue 10000
   */
  readonly lockTimeout?: number | undefined
  /**
   * Whether the version before stays beside the keyring, as `….backup`. It opens with whatever opened the keyring before, and has all
   * generations that were there then.
   *
   * @defaultValue true; if false, no older backup stays either
   */
  readonly keepBackup?: boolean | undefined
}

/** The file of one keyring. */
export class KeyringStore {
  /** For messages. */
  readonly name: string
  readonly #path: KeyringPath
  readonly #disk: Disk
  /** What the file looked like when it was last read without a need. */
  #looked: Stats | undefined

  constructor(path: KeyringPath, disk: Disk = nodeDisk) {
    checkKeyringPath(path)
    this.#path = path
    this.#disk = disk
    this.name = describePath(path)
  }

  /**
   * Makes the file, which has its name only once it is whole.
   *
   * @param build - Gives its content; is not called if there is a file already. If it fails, no file stays.
   * @throws EEXIST if there is a file, or somebody else makes one meanwhile, which is left as it is.
   */
  async create(build: () => Promise<Uint8Array>): Promise<void> {
    const file = await this.#run(beginKeyringFile(this.#path))
    let content
    try {
      content = await build()
    } catch (error) {
      // What went wrong first is what the caller must know.
      await this.#run(discardSuccessor(file)).catch(() => undefined)
      throw error
    }
    await this.#run(publishKeyringFile(file, content))
  }

  /** Reads the file. Nothing of the result is authenticated yet. @throws KeyringError; the system's errors. */
  async read(): Promise<Keyring> {
    try {
      return parseKeyring(await this.#run(readKeyringFile(this.#path, MAX_KEYRING_SIZE)), this.name)
    } catch (error) {
      throw await this.#mentionBackup(error)
    }
  }

  /** Reads the file, without waiting, if it is not as it was when this was last called. */
  readIfChangedSync(): Keyring | undefined {
    const stats = statSync(this.#path)
    const looked = this.#looked
    if (looked !== undefined && looked.ino === stats.ino && looked.mtimeMs === stats.mtimeMs && looked.size === stats.size)
      return undefined
    const content = runSync(this.#disk, readKeyringFile(this.#path, MAX_KEYRING_SIZE))
    // What could not be read, for want of descriptors perhaps, is looked at again.
    this.#looked = stats
    return parseKeyring(content, this.name)
  }

  /**
   * Changes the newest version, whoever wrote it, while nobody else can.
   *
   * @param keyringKey - 32 bytes; stays the caller's.
   * @param revision - The newest that was seen.
   * @returns the keyring as it is now.
   * @throws what the edit throws, and nothing is changed; LockedError; KeyringError; the system's errors.
   */
  async change(
    keyringKey: Uint8Array,
    revision: number,
    edit: Edit,
    options: KeyringChangeOptions & { readonly signal?: AbortSignal | undefined },
  ): Promise<Keyring> {
    const { lockTimeout = 10_000, keepBackup = true, signal } = options
    let edited: Uint8Array | undefined
    const editContent = (content: Uint8Array): Uint8Array => {
      signal?.throwIfAborted()
      const keyring = parseAuthentic(content, keyringKey, this.name)
      if (keyring.revision < revision) {
        const message = `the keyring has revision ${keyring.revision}, and had ${revision}: an older version was put back`
        throw new KeyringError('ERR_SEALFILE_KEYRING', message, { path: this.name })
      }
      edited = sealKeyring({ ...edit(keyring), revision: keyring.revision + 1 }, keyringKey)
      return edited
    }
    await this.#run(changeKeyringFile(this.#path, editContent, { lockTimeout, limit: MAX_KEYRING_SIZE, keepsBackup: keepBackup }))
    return parseKeyring(edited!, this.name)
  }

  /** Tells where help is. */
  async #mentionBackup(error: unknown): Promise<unknown> {
    if (!(error instanceof KeyringError) || error.code !== 'ERR_SEALFILE_KEYRING') return error
    try {
      const backup = backupPath(await this.#run(findKeyring(this.#path)))
      const { revision } = parseKeyring(await this.#run(readKeyringFile(backup, MAX_KEYRING_SIZE)))
      const message = `${error.message}; its backup '${backup.toString()}' is whole, and has revision ${revision}`
      return Object.assign(new KeyringError(error.code, message, { cause: error.cause }), { path: this.name })
    } catch {
      return error
    }
  }

  #run<T>(steps: Steps<T>): Promise<T> {
    return new AsyncRunner(this.#disk).run(() => steps)
  }
}
