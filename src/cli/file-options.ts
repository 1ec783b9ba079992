import { Option, type Command } from 'commander'
import type { CipherName, KeyManager, OpenOptions } from 'sealfile'
import type { Call } from './call.js'
import { parseNumber, parseSize } from './sizes.js'

/** Options that several commands have in common. */

const CIPHERS: readonly CipherName[] = ['aes-256-gcm', 'chacha20-poly1305', 'aes-256-gcm-siv']

/** What concerns the shape of new files. */
export interface ShapeOptions {
  readonly segmentSize?: number
  readonly cipher?: CipherName
}

export function addPurpose(command: Command): Command {
  return command.option('-p, --purpose <name>', 'what the file is for (or SEALFILE_PURPOSE)')
}

export function addForce(command: Command, description = 'replace an output file'): Command {
  return command.option('-f, --force', description)
}

export function addShape(command: Command): Command {
  return command
    .addOption(new Option('--segment-size <bytes>', 'encrypted together, 4k to 16m').argParser(parseSize))
    .addOption(new Option('--cipher <name>', 'AEAD').choices(CIPHERS))
}

export function addLockTimeout(command: Command): Command {
  return command.addOption(new Option('--lock-timeout <ms>', 'wait for another writer').argParser(parseNumber))
}

/** @returns what the library needs to open a file. */
export function openOptions({ settings }: Call, keyManager: KeyManager, path: string): OpenOptions {
  return { keyManager, ...settings.fileOptions(path) }
}
