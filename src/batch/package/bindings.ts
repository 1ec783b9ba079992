import { concatBytes } from '../../bytes/arrays.js'
import { u64 } from '../../bytes/integers.js'

/** What the encrypted files of a package are bound to, so that none can stand in another's place: it enters SEAL's G as their context. */

const MANIFEST_TAG = new TextEncoder().encode('sealfile-package/v1/manifest\0')
const FILE_TAG = new TextEncoder().encode('sealfile-package/v1/file\0')

/** The name of the manifest in a package. */
export const MANIFEST_NAME = 'manifest.seal'

/** @returns the name of a file in a package, which tells nothing of it. @param number - 1 or more. */
export function fileName(number: number): string {
  return `files/${String(number).padStart(8, '0')}.seal`
}

/** @param context - The caller's. */
export function manifestContext(context: Uint8Array): Uint8Array {
  return concatBytes(MANIFEST_TAG, context)
}

/** @param id - The package's: 16 bytes. @param number - The file's. @param context - The caller's. */
export function fileContext(id: Uint8Array, number: number, context: Uint8Array): Uint8Array {
  return concatBytes(FILE_TAG, id, u64(number), context)
}
