import { PackageMissingError } from '../errors.js'

/**
 * Loads a package that only some users install. The error names it, because the reader of the message has to install it.
 *
 * @param name - As it is installed.
 * @param load - Imports it; a literal import, so that bundlers see it.
 * @param user - What needs it, as a message begins: `the keychain provider`.
 * @throws PackageMissingError `ERR_SEALFILE_PACKAGE_MISSING`, with the cause.
 */
export async function loadOptionalPackage<T>(name: string, load: () => Promise<T>, user: string): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    throw new PackageMissingError(`${user} needs the package '${name}', which could not be loaded: npm install ${name}`, { cause })
  }
}
