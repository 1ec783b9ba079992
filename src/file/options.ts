import { invalidArgType, invalidArgValue, outOfRange, typeOnly } from '../argument-errors.js'
import { SEGMENT_SIZE_MAX, SEGMENT_SIZE_MIN } from '../container/preamble.js'
import { AEADS, type Aead, type CipherName } from '../seal/suites.js'
import type { Freshness } from './freshness.js'
import type { KeySource } from './key-source.js'

/** How to open an encrypted file. */
export interface OpenOptions {
  /** Where the file's key comes from: a KeyManager. It must stay open while files are being opened. */
  readonly keyManager: KeySource
  /** What the file is for, such as `config` or `logs`: each purpose has keys of its own. 1 to 255 bytes of text. */
  readonly purpose: string
  /**
   * Bytes that the file is bound to and that it does not hold: it opens under the same ones alone.
   *
   * @defaultValue none
   */
  readonly context?: Uint8Array | undefined
  /**
   * Plaintext bytes that are encrypted together, for new files: a power of two from 4,096 to 16,777,216. A read or write
   * of one byte costs the work for one segment.
   *
   * @defaultValue 65536
   */
  readonly segmentSize?: number | undefined
  /**
   * The AEAD for new files.
   *
   * @defaultValue `aes-256-gcm`
   */
  readonly cipher?: CipherName | undefined
  /**
   * What a commit waits for. `os`: the operating system has it; it survives the death of the process, and `sync()` makes it survive
   * a power cut. `fsync`: the disk has it, at every commit.
   *
   * @defaultValue `os`
   */
  readonly durability?: 'os' | 'fsync' | undefined
  /**
   * Milliseconds after a write at which it is committed, 1 to 2,147,483,647. While more is being appended, its last, incomplete segment
   * may wait for one more interval. A process that dies loses no more than that.
   *
   * @defaultValue 200
   */
  readonly commitInterval?: number | undefined
  /**
   * Milliseconds to wait for another writer to close the file, 0 or more.
   *
   * @defaultValue 0, which fails at once
   */
  readonly lockTimeout?: number | undefined
  /**
   * Write a new file beside the old one, and put it in its place when the handle is closed: until then, and if that fails or never
   * happens, the old one stays as it is. Only where what was there is dropped, as with `w`.
   *
   * @defaultValue false
   */
  readonly atomic?: boolean | undefined
  /**
   * Open a damaged file at its newest state that is whole, which may be older than its last commit. Reads the whole file.
   *
   * @defaultValue false
   */
  readonly recover?: boolean | undefined
  /**
   * Notices that an older version of the whole file was put back, with the help of what is kept elsewhere: a `FreshnessFile`, or a hook
   * of your own. Every commit waits for the disk then, as with `durability: 'fsync'`.
   *
   * @defaultValue none
   */
  readonly freshness?: Freshness | undefined
  /**
   * Permission bits for new files, before the umask: a number, or an octal string.
   *
   * @defaultValue 0o666
   */
  readonly mode?: number | string | undefined
}

/** {@link OpenOptions}, checked and complete. */
export interface ResolvedOptions {
  /** Fetch what a reader will probably want next, and look whether the file has changed; else nothing but what a read needs. */
  readonly isLocal: boolean
  readonly keySource: KeySource
  readonly purpose: string
  readonly context: Uint8Array
  readonly segmentSize: number
  readonly aead: Aead
  readonly durability: 'os' | 'fsync'
  readonly commitInterval: number
  readonly lockTimeout: number
  readonly recover: boolean
  readonly mode: number
  readonly atomic: boolean
  readonly freshness: Freshness | undefined
}

/** Milliseconds that a timer of Node can wait. */
export const TIMER_MAX = 2 ** 31 - 1

/**
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE`, naming the option.
 */
export function resolveOpenOptions(options: OpenOptions): ResolvedOptions {
  if (!isObject(options)) throw invalidArgType('options', 'of type object', options)
  const {
    keyManager,
    purpose,
    context = new Uint8Array(0),
    segmentSize = 65_536,
    cipher = 'aes-256-gcm',
    durability = 'os',
    commitInterval = 200,
    lockTimeout = 0,
    recover = false,
    atomic = false,
    freshness,
    mode = 0o666,
  } = options
  if (!hasMethods(keyManager, 'wrapFileKey', 'unwrapFileKey')) {
    throw invalidArgType('options.keyManager', 'an instance of KeyManager', typeOnly(keyManager))
  }
  if (typeof purpose !== 'string') throw invalidArgType('options.purpose', 'of type string', purpose)
  if (!(context instanceof Uint8Array)) throw invalidArgType('options.context', 'an instance of Uint8Array', context)
  checkInteger('options.segmentSize', segmentSize, SEGMENT_SIZE_MIN, SEGMENT_SIZE_MAX)
  if (!Number.isInteger(Math.log2(segmentSize))) throw outOfRange('options.segmentSize', 'a power of two', segmentSize)
  if (!Object.hasOwn(AEADS, cipher)) {
    throw invalidArgValue('options.cipher', cipher, `must be one of ${Object.keys(AEADS).join(', ')}`)
  }
  if (!['os', 'fsync'].includes(durability)) throw invalidArgValue('options.durability', durability, "must be 'os' or 'fsync'")
  checkInteger('options.commitInterval', commitInterval, 1, TIMER_MAX)
  checkInteger('options.lockTimeout', lockTimeout, 0, TIMER_MAX)
  if (typeof recover !== 'boolean') throw invalidArgType('options.recover', 'of type boolean', recover)
  if (freshness !== undefined && !hasMethods(freshness, 'recall', 'remember')) {
    throw invalidArgType('options.freshness', 'an instance of FreshnessFile', freshness)
  }
  if (typeof atomic !== 'boolean') throw invalidArgType('options.atomic', 'of type boolean', atomic)
  return {
    isLocal: true,
    keySource: keyManager,
    purpose,
    context: new Uint8Array(context),
    segmentSize,
    aead: AEADS[cipher],
    durability,
    commitInterval,
    lockTimeout,
    recover,
    atomic,
    freshness,
    mode: parseMode(mode),
  }
}

function parseMode(mode: number | string): number {
  if (typeof mode === 'string' && !/^[0-7]+$/.test(mode)) {
    throw invalidArgValue('options.mode', mode, 'must be a 32-bit unsigned integer or an octal string.')
  }
  const bits: unknown = typeof mode === 'string' ? Number.parseInt(mode, 8) : mode
  checkInteger('options.mode', bits, 0, 0o7777)
  return bits
}

/** Tells whether something is an object that can do what is asked for. */
export function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** @throws TypeError or RangeError with Node's codes unless `value` is an integer from `min` to `max`. */
export function checkInteger(name: string, value: unknown, min: number, max: number): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value)
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value)
}

/** @returns an option that is a boolean, and false unless given. */
export function flag<K extends string>(options: Readonly<Partial<Record<K, unknown>>>, name: K): boolean {
  const value = options[name] ?? false
  if (typeof value !== 'boolean') throw invalidArgType(`options.${name}`, 'of type boolean', value)
  return value
}
