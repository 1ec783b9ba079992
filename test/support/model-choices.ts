import type { Flags, ModelAccess } from './model-file.js'
import type { Operation, Position, WriteForm } from './model-operations.js'
import { BEGINNING, EXCLUSIVE, REWRITING, type Action, type Range, type Style, type Weights } from './model-styles.js'
import { SeededRandom } from './seeded-random.js'

const SIZES: Readonly<Record<string, Range>> = {
  nothing: [0, 0],
  small: [1, 400],
  medium: [400, 9_000],
  large: [9_000, 60_000],
  huge: [60_000, 1_000_000],
}

/** What is written is cut from here: lines of all lengths, some with CRLF, of bytes of all values. */
const POOL = makePool(3 * 2 ** 20)

function makePool(size: number): Buffer {
  const random = new SeededRandom(1)
  const pool = random.bytes(size)
  for (let at = 0; at < size; at += random.int(1, random.chance(0.02) ? 5_000 : 200)) {
    pool[at] = 0x0a
    if (at > 0 && random.chance(0.3)) pool[at - 1] = 0x0d
  }
  return pool
}

const POOL_COPY = Buffer.from(POOL)

/** Whether no handle has changed what it was given to write. */
export function isDataUnchanged(): boolean {
  return POOL.equals(POOL_COPY)
}

/** What the choice of an operation depends on. */
export interface Circumstances {
  readonly length: number
  readonly position: number
  readonly access: ModelAccess
}

/** Chooses operations at random, as a style has them. */
export class Choices {
  readonly #random: SeededRandom
  readonly #style: Style
  readonly #segmentSize: number

  constructor(random: SeededRandom, style: Style, segmentSize: number) {
    this.#random = random
    this.#style = style
    this.#segmentSize = segmentSize
  }

  action({ length, access }: Circumstances): Action {
    if (length < this.#style.minLength && access.writes) return 'write'
    return this.#pickWeighted(this.#style.actions)
  }

  inFlightCount(): number {
    return this.#random.int(...this.#style.inFlight)
  }

  /** @param exists - There is a file. */
  flags(exists: boolean): Flags {
    if (!exists) return this.#random.pick(BEGINNING)
    if (this.#random.chance(0.08)) return this.#random.pick(REWRITING)
    return this.#random.pick(this.#random.chance(0.03) ? EXCLUSIVE : this.#style.flags)
  }

  /** A call that may be in flight with others; where these are many, they are small changes of what is there. */
  operation(circumstances: Circumstances): Operation {
    if (this.#style.inFlight[1] > 100) {
      const position = this.#random.int(0, Math.max(0, circumstances.length - 200))
      return { kind: 'write', form: 'bytes', pieces: [this.data(this.#random.int(1, 200))], position }
    }
    const kinds = { read: 40, write: 40, truncate: 5, seek: 5, readFile: 2, stat: 3, commit: 1, sync: 1 } as const
    return this.operationOf(this.#pickWeighted(kinds), circumstances)
  }

  operationOf(action: Action, circumstances: Circumstances): Operation {
    switch (action) {
      case 'read':
        return this.#read(circumstances)
      case 'write':
        return this.#write(circumstances)
      case 'truncate':
        return { kind: 'truncate', length: this.#newLength(circumstances) }
      case 'seek':
        return this.#seek(circumstances)
      case 'readFile':
        return { kind: 'readFile', encoding: this.#random.chance(0.8) ? null : this.#random.pick(['utf8', 'latin1', 'base64']) }
      case 'readLine':
        return { kind: 'readLine', complete: this.#random.chance(0.3) }
      case 'sync':
        return { kind: this.#random.pick(['sync', 'datasync']) }
      case 'tell':
      case 'stat':
      case 'commit':
        return { kind: action }
      default:
        throw new TypeError(`${action} is no operation`)
    }
  }

  /** Bytes to write. */
  data(length: number): Buffer {
    const start = this.#random.int(0, POOL.length - length)
    return POOL.subarray(start, start + length)
  }

  #read(circumstances: Circumstances): Operation {
    const isVector = this.#random.chance(0.2)
    const lengths = Array.from({ length: isVector ? this.#random.int(1, 5) : 1 }, () => this.#size())
    return { kind: 'read', lengths, isVector, position: this.#position(circumstances, false) }
  }

  #write(circumstances: Circumstances): Operation {
    const { access, length, position } = circumstances
    const form: WriteForm = this.#pickWeighted({ bytes: 60, text: 10, vector: 15, file: 7, append: 8 })
    // Other systems heed the position of a write to a file that is open for appending.
    const canAppendAnywhere = !access.appends || process.platform === 'linux'
    const isAnywhere = form !== 'file' && form !== 'append'
    const start = isAnywhere && canAppendAnywhere ? this.#position(circumstances, true) : null
    // A write where the handle stands, far behind the end, would make the file as long.
    const isTooFar = length > this.#style.maxLength || (start === null && position > this.#style.maxLength)
    if (isTooFar && access.writes) return { kind: 'truncate', length: this.#random.int(0, this.#style.maxLength / 2) }
    const pieces = Array.from({ length: form === 'vector' ? this.#random.int(1, 5) : 1 }, () => {
      // Node does not ask the system where there is nothing to write.
      return this.data(Math.max(this.#size(), isAnywhere || access.writes ? 0 : 1))
    })
    return { kind: 'write', form, pieces, position: start }
  }

  #seek({ length, position }: Circumstances): Operation {
    const whence = this.#random.pick(['start', 'current', 'end'] as const)
    const target = this.#random.chance(0.03) ? -1 : this.#random.int(0, length + (this.#random.chance(0.1) ? 5_000 : 0))
    return { kind: 'seek', whence, offset: target - { start: 0, current: position, end: length }[whence] }
  }

  #newLength({ length }: Circumstances): number {
    const kind = this.#pickWeighted({ shorter: 40, slightly: 20, boundary: 15, longer: 15, same: 5, nothing: 5 })
    if (kind === 'same') return length
    if (kind === 'nothing') return 0
    if (kind === 'shorter') return this.#random.int(0, length)
    if (kind === 'slightly') return this.#random.int(Math.max(0, length - 300), length)
    if (kind === 'boundary') return this.#nearBoundary(length + this.#segmentSize)
    return this.#random.int(length, Math.max(length, Math.min(this.#style.maxLength, length + 3 * this.#segmentSize)))
  }

  #position({ length }: Circumstances, isWrite: boolean): Position {
    const kind = this.#pickWeighted(this.#style.positions)
    if (kind === 'cursor') return null
    if (kind === 'within') return this.#random.int(0, length)
    if (kind === 'boundary') return this.#nearBoundary(length)
    if (kind === 'end') return length
    return length + this.#random.int(0, isWrite ? 20_000 : 100)
  }

  #nearBoundary(length: number): number {
    const index = this.#random.int(0, Math.floor(length / this.#segmentSize))
    return Math.max(0, index * this.#segmentSize + this.#random.int(-2, 2))
  }

  #size(): number {
    const kind = this.#pickWeighted(this.#style.sizes)
    if (kind === 'segments') return this.#random.int(1, 3) * this.#segmentSize + this.#random.int(-1, 1)
    return this.#random.int(...SIZES[kind]!)
  }

  #pickWeighted<T extends string>(weights: Weights<T>): T {
    const entries = Object.entries(weights) as [T, number][]
    let left = this.#random.next() * entries.reduce((total, [, weight]) => total + weight, 0)
    for (const [choice, weight] of entries) {
      left -= weight
      if (left < 0) return choice
    }
    return entries.at(-1)![0]
  }
}
