import { EventEmitter } from 'node:events'
import { watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { EncryptedFile } from 'sealfile'
import { codeOf } from '../keys.mjs'

/** Milliseconds without a change before the file is read again: one change makes several events. */
const QUIET_TIME = 50

/** @typedef {Record<string, unknown>} Config */

/**
 * An encrypted JSON file that is read again whenever it changes. What is damaged or no JSON does not replace what was read before.
 *
 * @extends {EventEmitter<{ change: [Config], fault: [unknown] }>}
 */
export class ConfigFile extends EventEmitter {
  #path
  #options
  #watcher
  /** @type {NodeJS.Timeout | undefined} */
  #timer
  /** @type {Config} */
  current = {}

  /** @param {string} path @param {import('sealfile').OpenOptions} options */
  constructor(path, options) {
    super()
    this.#path = path
    this.#options = options
    // The folder, not the file: one that is replaced is another file.
    this.#watcher = watch(dirname(path), (_event, name) => {
      if (name === null || name === basename(path))
        this.#timer = this.#timer?.refresh() ?? setTimeout(() => void this.#reload(), QUIET_TIME)
    })
    this.#watcher.on('error', (error) => this.emit('fault', error))
  }

  /** @param {string} path @param {import('sealfile').OpenOptions} options */
  static async open(path, options) {
    const config = new ConfigFile(path, options)
    try {
      config.current = await readConfig(path, options)
      return config
    } catch (error) {
      config.close()
      throw error
    }
  }

  close() {
    clearTimeout(this.#timer)
    this.#watcher.close()
  }

  async #reload() {
    try {
      const next = await readConfig(this.#path, this.#options)
      if (isDeepStrictEqual(next, this.current)) return
      this.current = next
      this.emit('change', next)
    } catch (error) {
      this.emit('fault', error)
    }
  }
}

/**
 * Changes a config file, or makes it. Two programs at once take turns: the lock is held from reading to writing. Whatever fails, the old
 * content stays.
 *
 * @param {string} path
 * @param {(config: Config) => Config} change
 * @param {import('sealfile').OpenOptions} options
 */
export async function updateConfig(path, change, options) {
  const next = await EncryptedFile.open(path, 'w', { ...options, atomic: true, lockTimeout: 5_000 })
  try {
    const config = await readConfig(path, options).catch((/** @type {unknown} */ error) => {
      if (codeOf(error) === 'ENOENT') return {}
      throw error
    })
    await next.write(`${JSON.stringify(change(config), null, 2)}\n`)
  } catch (error) {
    await next.discard()
    throw error
  }
  await next.close()
}

/**
 * @param {string} path
 * @param {import('sealfile').OpenOptions} options
 * @returns {Promise<Config>}
 */
async function readConfig(path, options) {
  const text = await EncryptedFile.readFile(path, { ...options, encoding: 'utf8' })
  /** @type {unknown} */
  const value = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('the config is no object')
  return { ...value }
}
