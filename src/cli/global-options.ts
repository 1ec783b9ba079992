import { Option, type Command } from 'commander'
import { parseNumber } from './sizes.js'

/** What all commands take. */
export interface GlobalOptions {
  readonly config?: string
  readonly keyring?: string
  readonly passphraseFile?: string
  readonly passphraseFd?: number
  readonly recoveryKey?: boolean
  readonly recoveryKeyFile?: string
  readonly recoveryKeyFd?: number
  readonly keyFile?: string
  readonly keychain?: boolean
  readonly context?: string
  readonly json?: boolean
  readonly quiet?: boolean
}

/** Adds them to the program: they are taken before and after a command's name. */
export function addGlobalOptions(program: Command): void {
  program
    .option('--config <file>', 'settings (default: sealfile.config.json, here or above)')
    .option('-k, --keyring <file>', 'keyring (or SEALFILE_KEYRING)')
    .option('--passphrase-file <file>', 'passphrase: first line (or SEALFILE_PASSPHRASE)')
    .addOption(new Option('--passphrase-fd <n>', 'passphrase: from a descriptor').argParser(parseNumber))
    .option('--recovery-key', 'ask for a recovery key, not a passphrase')
    .option('--recovery-key-file <file>', 'recovery key: first line of a file')
    .addOption(new Option('--recovery-key-fd <n>', 'recovery key: from a descriptor').argParser(parseNumber))
    .option('--key-file <file>', "32 bytes that open the keyring's slot for a key")
    .option('--keychain', "open by the system's keychain")
    .option('--context <text>', 'what files are bound to besides their purpose')
    .option('--json', 'one JSON object on standard output')
    .option('-q, --quiet', 'only results and errors')
}
