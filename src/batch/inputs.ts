import { invalidArgType } from '../argument-errors.js'
import { takePath, type Path } from '../compat/paths.js'
import type { PathLike } from '../file/io/steps.js'
import { Glob } from './glob.js'

/** A file, a folder with all that is in it, or what a pattern matches. */
export type BatchInput = PathLike | Glob

/** What a batch is to work on. */
export type BatchInputs = BatchInput | Iterable<BatchInput>

/** An input, checked. */
export interface Input {
  readonly path: Path
  /** What of a folder is meant; undefined for all of it, and for a file. */
  readonly pattern: Glob | undefined
}

/** @throws TypeError for what names no inputs. */
export function resolveInputs(inputs: BatchInputs): Input[] {
  if (isOne(inputs)) return [resolveInput(inputs)]
  if (typeof (inputs as Partial<Iterable<BatchInput>> | null | undefined)?.[Symbol.iterator] !== 'function') {
    throw invalidArgType('inputs', 'a path, a Glob or an iterable of these', inputs)
  }
  return Array.from(inputs, resolveInput)
}

function isOne(inputs: BatchInputs): inputs is BatchInput {
  return typeof inputs === 'string' || Buffer.isBuffer(inputs) || inputs instanceof URL || inputs instanceof Glob
}

function resolveInput(input: BatchInput): Input {
  if (!(input instanceof Glob)) return { path: takePath(input, 'inputs'), pattern: undefined }
  return { path: input.base, pattern: input.hasWildcard ? input : undefined }
}
