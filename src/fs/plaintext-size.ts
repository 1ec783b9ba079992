import type { BigIntStats, Stats } from 'node:fs'
import { parseFlags } from '../file/flags.js'
import type { PathLike, Steps } from '../file/io/steps.js'
import { resolveOpenOptions } from '../file/options.js'
import { Session } from '../file/session.js'
import { isPlaintext, type Kind, type Policy } from './policy.js'

type AnyStats = Stats | BigIntStats

/** Puts the size of the plaintext into what the system says of a file; one that is not encrypted has the size that it has. */
export function* withPlaintextSize<S extends AnyStats | undefined>(stats: S, path: PathLike, policy: Policy, kind: Kind): Steps<S> {
  if (stats?.isFile() !== true) return stats
  try {
    const session = yield* Session.open(path, parseFlags('r'), resolveOpenOptions(policy.optionsFor(path, kind)))
    const { size } = yield* session.stat()
    yield* session.close()
    stats.size = typeof stats.size === 'bigint' ? BigInt(size) : size
  } catch (error) {
    if (!isPlaintext(error)) throw error
  }
  return stats
}
