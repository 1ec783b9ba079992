import { invalidArgType, invalidArgValue } from '../../argument-errors.js'
import { validatePurpose } from '../purpose.js'

/** One purpose, or several of which each file was written for one. */
export type Purposes = string | readonly string[]

/**
 * What files were written for: their headers do not say. A purpose, purposes to be tried one after the other, or a function that tells
 * it of each path.
 */
export type PurposeOption = Purposes | ((path: string) => Purposes | Promise<Purposes>)

/** Tells which purposes are to be tried with a file. */
export type PurposesOf = (path: string) => Promise<readonly string[]>

/** @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`; of what a function gives, when it is called. */
export function resolvePurposes(option: PurposeOption): PurposesOf {
  if (typeof option === 'function') return async (path) => checkPurposes('options.purpose()', await option(path))
  const purposes = checkPurposes('options.purpose', option)
  return () => Promise.resolve(purposes)
}

function checkPurposes(name: string, option: Purposes): readonly string[] {
  if (typeof option === 'string') {
    validatePurpose(option, name)
    return [option]
  }
  if (!Array.isArray(option)) throw invalidArgType(name, 'of type string or function, or an array of strings', option)
  if (option.length === 0) throw invalidArgValue(name, option, 'must name a purpose')
  for (const [index, purpose] of option.entries()) validatePurpose(purpose, `${name}[${index}]`)
  return [...(option as readonly string[])]
}
