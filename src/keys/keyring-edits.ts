import { outOfRange } from '../argument-errors.js'
import { KeyringError, LimitError } from '../errors.js'
import { encodeBytes } from './keyring-fields.js'
import { createGeneration } from './keyring-keys.js'
import { MAX_GENERATION, MAX_GENERATIONS, MAX_SLOTS, type Keyring, type KnownSlot, type Slot } from './keyring.js'

/** What can be changed of a keyring. Pure: each gives the keyring as it is to be, and the file counts one revision more. */

export type Edit = (keyring: Keyring) => Keyring

/** @throws LimitError `ERR_SEALFILE_LIMIT` if there are as many as there can be. */
export function addSlot(slot: KnownSlot): Edit {
  return (keyring) => {
    if (keyring.slots.length >= MAX_SLOTS) throw new LimitError(`the keyring has ${MAX_SLOTS} slots, and cannot have more`)
    return { ...keyring, slots: [...keyring.slots, slot] }
  }
}

/**
 * @param id - In base64url.
 * @throws KeyringError `ERR_SEALFILE_KEYRING_SLOT` if there is none of that name, or nothing else that can be opened.
 */
export function removeSlot(id: string): Edit {
  return (keyring) => {
    findSlot(keyring, id)
    const slots = keyring.slots.filter((slot) => encodeBytes(slot.id) !== id)
    if (slots.some(({ type }) => type !== 'unknown')) return { ...keyring, slots }
    throw new KeyringError('ERR_SEALFILE_KEYRING_SLOT', `slot ${id} is the last that can be opened: without it, all keys were lost`)
  }
}

/** @throws KeyringError `ERR_SEALFILE_KEYRING_SLOT` if somebody has removed the old one meanwhile. */
export function replaceSlot(id: string, replacement: KnownSlot): Edit {
  return (keyring) => {
    const old = findSlot(keyring, id)
    return { ...keyring, slots: keyring.slots.map((slot) => (slot === old ? replacement : slot)) }
  }
}

/** Adds a generation with a new master key, which new files get from now on. */
export function addGeneration(keyringKey: Uint8Array): Edit {
  return (keyring) => {
    const { generations } = keyring
    // The current one is the newest, and is never removed: no number comes again.
    const generation = Math.max(...generations.map((other) => other.generation)) + 1
    if (generations.length >= MAX_GENERATIONS || generation > MAX_GENERATION) {
      throw new LimitError(`the keyring has ${generations.length} generations, and cannot have more: retire some`)
    }
    const added = createGeneration(keyringKey, keyring.id, generation)
    return { ...keyring, generations: [...generations, added], current: generation }
  }
}

/**
 * @throws RangeError `ERR_OUT_OF_RANGE` if there is none of that number.
 * @throws KeyringError `ERR_SEALFILE_GENERATION_IN_USE` if it is the current one.
 */
export function removeGeneration(generation: number): Edit {
  return (keyring) => {
    const known = keyring.generations.map((other) => other.generation)
    if (!known.includes(generation)) throw outOfRange('generation', `one of ${known.join(', ')}`, generation)
    if (generation === keyring.current) {
      throw new KeyringError(
        'ERR_SEALFILE_GENERATION_IN_USE',
        `generation ${generation} is the current one: rotate the master key first`,
      )
    }
    return { ...keyring, generations: keyring.generations.filter((other) => other.generation !== generation) }
  }
}

function findSlot({ slots }: Keyring, id: string): Slot {
  const slot = slots.find((other) => encodeBytes(other.id) === id)
  if (slot === undefined) throw new KeyringError('ERR_SEALFILE_KEYRING_SLOT', `the keyring has no slot ${id}`)
  return slot
}
