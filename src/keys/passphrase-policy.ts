import type { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { invalidArgType, outOfRange, WITHHELD } from '../argument-errors.js'
import { WeakPassphraseError } from '../errors.js'
import { loadOptionalPackage } from './optional-package.js'
import type { PassphraseCheck } from './passphrase-check.js'

/** The estimate takes more than linear time; what comes after this many UTF-16 units can only make a passphrase better. */
const LONGEST_ESTIMATED = 64
/** As much as the longest minimum takes where each character is made of many units. */
const LONGEST_COUNTED = 4_096

/** What a new passphrase must be. */
export interface PassphrasePolicyOptions {
  /**
   * Characters at the least, as people count them: a letter with its accents is one, and so is an emoji. 1 to 64.
   *
   * @defaultValue 15, which NIST SP 800-63B asks of a password that stands alone.
   */
  readonly minimumLength?: number | undefined
  /**
   * How many guesses it must withstand, as a power of ten: 0 to 64. Whoever has a copy of the keyring guesses offline, as fast as
   * Argon2id lets him.
   *
   * @defaultValue 12
   */
  readonly minimumGuessesLog10?: number | undefined
  /**
   * Words that someone who knows the user or the program tries first: names, addresses, the name of the program.
   *
   * @defaultValue none
   */
  readonly userInputs?: readonly string[] | undefined
}

function requireNumber(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!(value >= least && value <= most)) throw outOfRange(name, `>= ${least} && <= ${most}`, value)
  return value
}

function resolveOptions(options: PassphrasePolicyOptions) {
  if (typeof (options as unknown) !== 'object' || (options as unknown) === null)
    throw invalidArgType('options', 'of type object', options)
  const { minimumLength = 15, minimumGuessesLog10 = 12, userInputs = [] } = options
  if (!Number.isInteger(requireNumber('options.minimumLength', minimumLength, 1, LONGEST_ESTIMATED))) {
    throw outOfRange('options.minimumLength', 'an integer', minimumLength)
  }
  const isList = Array.isArray(userInputs) && userInputs.every((word: unknown) => typeof word === 'string')
  if (!isList) throw invalidArgType('options.userInputs', 'an array of strings', WITHHELD)
  return {
    minimumLength,
    minimumGuessesLog10: requireNumber('options.minimumGuessesLog10', minimumGuessesLog10, 0, LONGEST_ESTIMATED),
    userInputs: [...userInputs],
  }
}

/** Whether there are as many characters as that. Does not look further. */
function hasLength(text: string, minimum: number): boolean {
  const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  const characters = segmenter.segment(text.slice(0, LONGEST_COUNTED))[Symbol.iterator]()
  for (let count = 0; count < minimum; count++) if (characters.next().done === true) return false
  return true
}

let loading: Promise<ZxcvbnFactory> | undefined

/** Loads the estimator with its word lists, which takes some tenths of a second and 20 MB, once. */
async function loadEstimator(): Promise<ZxcvbnFactory> {
  const user = 'the passphrase policy'
  const { ZxcvbnFactory } = await loadOptionalPackage('@zxcvbn-ts/core', () => import('@zxcvbn-ts/core'), user)
  const common = await loadOptionalPackage('@zxcvbn-ts/language-common', () => import('@zxcvbn-ts/language-common'), user)
  const english = await loadOptionalPackage('@zxcvbn-ts/language-en', () => import('@zxcvbn-ts/language-en'), user)
  return new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    translations: english.translations,
    maxLength: LONGEST_ESTIMATED,
    // Ten times as many find no more, and take half a second.
    l33tMaxSubstitutions: 10,
  })
}

/** A failure is not kept: the package may be installed meanwhile. */
function estimator(): Promise<ZxcvbnFactory> {
  loading ??= loadEstimator().catch((error: unknown) => {
    loading = undefined
    throw error
  })
  return loading
}

/**
 * Makes a check of new passphrases: a length, and an estimate of how many guesses they withstand, by `@zxcvbn-ts/core`, which knows
 * leaked passwords, English words and names, keyboard patterns, dates and repetitions. There are no rules of composition (NIST SP 800-63B
 * §3.1.1): they make passphrases that are hard to remember and no harder to guess.
 *
 * Needs the packages `@zxcvbn-ts/core`, `@zxcvbn-ts/language-common` and `@zxcvbn-ts/language-en`, which are loaded with the first check.
 *
 * @returns a check that throws WeakPassphraseError `ERR_SEALFILE_WEAK_PASSPHRASE` with the reason, never with the passphrase, and
 * PackageMissingError `ERR_SEALFILE_PACKAGE_MISSING` where a package is not there.
 * @throws TypeError, RangeError for options that cannot be.
 *
 * @example
 * ```ts
 * const checkPassphrase = createPassphrasePolicy({ userInputs: ['my program', user.name] })
 * ```
 */
export function createPassphrasePolicy(options: PassphrasePolicyOptions = {}): PassphraseCheck {
  const { minimumLength, minimumGuessesLog10, userInputs } = resolveOptions(options)
  return async (passphrase) => {
    if (!hasLength(passphrase, minimumLength)) {
      throw new WeakPassphraseError(`the passphrase is too short: it needs ${minimumLength} characters`)
    }
    const { guessesLog10, feedback } = (await estimator()).check(passphrase.slice(0, LONGEST_ESTIMATED), userInputs)
    if (guessesLog10 >= minimumGuessesLog10) return
    const estimate = `about 10^${Math.floor(guessesLog10)} guesses find it, and it must withstand 10^${minimumGuessesLog10}`
    const hints = [feedback.warning, ...feedback.suggestions].filter((hint) => hint !== null && hint !== '').join(' ')
    throw new WeakPassphraseError(`the passphrase is too easy to guess: ${estimate}${hints === '' ? '' : `. ${hints}`}`)
  }
}
