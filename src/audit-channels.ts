import { channel, type Channel } from 'node:diagnostics_channel'

/**
 * What happens to keys and files, as channels of `node:diagnostics_channel`, for whoever keeps an audit trail. Messages are plain objects
 * and hold no secret. Byte strings in them are base64url.
 */

/** A keyring was opened, or opened again. */
export interface UnlockMessage {
  /** The keyring. */
  readonly path: string
  /** 16 bytes in base64url. */
  readonly keyringId: string
  /** The version of the keyring that was opened. */
  readonly revision: number
  /** The slot that opened it: 16 bytes in base64url. */
  readonly slotId: string
  /** `passphrase`, `recovery`, `key` or `provider`. */
  readonly slotType: string
}

/** Something was given that did not open a keyring. */
export interface UnlockFailedMessage {
  /** The keyring. */
  readonly path: string
  /** `passphrase`, `recovery`, `key` or `provider`. */
  readonly slotType: string
  /** What the call throws. */
  readonly error: unknown
}

/** A key manager has forgotten its keys. */
export interface LockMessage {
  /** The keyring; undefined for a raw key. */
  readonly path: string | undefined
  /** 16 bytes in base64url. */
  readonly keyringId: string
  /** `idle`: nobody used them for `idleTimeout`; otherwise the call that was made. */
  readonly reason: 'idle' | 'lock' | 'close'
}

/** A keyring was changed on the disk. */
export interface KeyringChangeMessage {
  /** The keyring. */
  readonly path: string
  /** 16 bytes in base64url. */
  readonly keyringId: string
  /** The one that the keyring has now. */
  readonly revision: number
  /** What was done. */
  readonly change: 'create' | 'add-slot' | 'remove-slot' | 'change-passphrase' | 'rotate-master-key' | 'retire-generation'
  /** The slot that was added, removed or changed. */
  readonly slotId?: string
  /** `passphrase`, `recovery`, `key` or `provider`. */
  readonly slotType?: string
  /** The generation that was added or retired. */
  readonly generation?: number
}

/** A file was opened, or made. */
export interface FileMessage {
  /** Undefined for a stream. */
  readonly path: string | undefined
  /** What the file was opened for. */
  readonly purpose: string
  /** Whose master key wraps the key of the file: 16 bytes in base64url. */
  readonly keyringId: string
  /** Which of its master keys. */
  readonly generation: number
}

/** A file's key was moved to another generation, or its content to another key. */
export interface FileKeyChangeMessage {
  /** The file. */
  readonly path: string
  /** What the file is for. */
  readonly purpose: string
  /** What wrapped its key before. */
  readonly from: KeyPlace
  /** What wraps its key now. */
  readonly to: KeyPlace
}

/** What wraps a file's key. */
export interface KeyPlace {
  /** 16 bytes in base64url. */
  readonly keyringId: string
  /** Which of its master keys. */
  readonly generation: number
}

/** @returns which key wraps another. */
export function namePlace(place: { readonly keyringId: Uint8Array; readonly generation: number }): KeyPlace {
  return { keyringId: Buffer.from(place.keyringId).toString('base64url'), generation: place.generation }
}

/** The channels and their messages. */
interface Messages {
  readonly 'sealfile:unlock': UnlockMessage
  readonly 'sealfile:unlock-failed': UnlockFailedMessage
  readonly 'sealfile:lock': LockMessage
  readonly 'sealfile:keyring-change': KeyringChangeMessage
  readonly 'sealfile:file-open': FileMessage
  readonly 'sealfile:file-create': FileMessage
  readonly 'sealfile:rewrap': FileKeyChangeMessage
  readonly 'sealfile:reencrypt': FileKeyChangeMessage
}

const channels = new Map<string, Channel>()

/**
 * Tells whoever listens.
 *
 * @param describe - Called only if somebody does: most of the time, nobody.
 */
export function publish<N extends keyof Messages>(name: N, describe: () => Messages[N]): void {
  let found = channels.get(name)
  if (found === undefined) {
    found = channel(name)
    channels.set(name, found)
  }
  if (found.hasSubscribers) found.publish(describe())
}
