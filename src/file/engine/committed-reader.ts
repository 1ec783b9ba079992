import { equalBytes } from '../../bytes/arrays.js'
import { RECORD_COUNT, recordPosition } from '../../container/commit-record.js'
import { PREAMBLE_SIZE } from '../../container/preamble.js'
import { CorruptedFileError, RollbackError } from '../../errors.js'
import { accumulate } from '../../seal/snapshot.js'
import { io, readFully, type Steps } from '../io/steps.js'
import { StateFinder, type CommittedState, type FoundState, type Search } from './committed-state.js'
import type { ContainerFile } from './container-file.js'
import type { Content } from './content.js'
import type { SegmentReader } from './segment-reader.js'
import { ThroughCheck } from './through-check.js'

/** How often a reader looks again that meets a writer at work. */
const TRIES = 20
const PAUSE_MS = 1
const NO_BYTES = new Uint8Array(0)

/** Which states of a file a reader wants. */
export interface ReaderOptions {
  /** The newest whole one of a damaged file will do. */
  readonly recover: boolean
  /** Later ones, when there are any. */
  readonly follows: boolean
}

/** A state, and the header that told of it. */
interface Sighting {
  readonly found: FoundState
  readonly header: Uint8Array
}

/**
 * Reads an editable file at a committed state. Nothing keeps a writer from going on meanwhile: where a read comes to the end or
 * meets a segment that does not authenticate, the records tell whether there is a newer state, and that one is read from then on.
 */
export class CommittedReader implements Content {
  readonly #file: ContainerFile
  readonly #fd: number
  readonly #reader: SegmentReader
  readonly #follows: boolean
  readonly #through: ThroughCheck
  #header: Uint8Array
  #found: FoundState
  /** The commit at which the present pass over all segments began. */
  #throughBegan = 0
  #isMixed = false

  private constructor(file: ContainerFile, fd: number, reader: SegmentReader, follows: boolean, { found, header }: Sighting) {
    this.#file = file
    this.#fd = fd
    this.#reader = reader
    this.#follows = follows
    this.#header = header
    this.#found = found
    this.#through = new ThroughCheck(file.schedule.snapshotKey!)
  }

  /**
   * @param header - The file's first 1,280 bytes at least.
   * @param size - Of the file, not before the header was read.
   */
  static *open(
    file: ContainerFile,
    fd: number,
    reader: SegmentReader,
    header: Uint8Array,
    size: number,
    { recover, follows }: ReaderOptions,
  ): Steps<CommittedReader> {
    // A copy, which `slice` of a Buffer is not: the memory is used again.
    const first = new Uint8Array(header.subarray(0, file.geometry.headerSize))
    const sighting = yield* findBesideWriter(file, fd, first, size, { recover })
    if (sighting.header !== first) yield* reader.forget()
    return new CommittedReader(file, fd, reader, follows, sighting)
  }

  get length(): number {
    return this.#found.state.length
  }

  get state(): CommittedState {
    return this.#found.state
  }

  /** A newer commit was passed over. */
  get fellBack(): boolean {
    return this.#found.fellBack
  }

  *read(target: Uint8Array, position: number): Steps<number> {
    if (target.length === 0) return 0
    if (position + target.length > this.length) yield* this.refresh()
    const { length } = this
    const read = yield* this.#reader.copy(target, { length, position }, (index, last) => this.#plaintextOf(index, last))
    if (read > 0 && position + read === this.length) yield* this.#checkThrough()
    return read
  }

  *refresh(): Steps<void> {
    yield* this.#advance()
  }

  takeMixed(): boolean {
    const isMixed = this.#isMixed
    this.#isMixed = false
    return isMixed
  }

  forget(): Steps<void> {
    return this.#reader.forget()
  }

  *#plaintextOf(index: number, last: number): Steps<Uint8Array> {
    for (let tries = 1; ; tries++) {
      try {
        const { plaintext, tag } = yield* this.#reader.load(this.state, index, last)
        if (this.#through.note(index, tag)) this.#throughBegan = this.state.record.sequence
        return plaintext
      } catch (error) {
        if (!(error instanceof CorruptedFileError) || tries === TRIES || !(yield* this.#advance())) throw error
        if (index < this.state.count) continue
        // What was read before this segment is of an older, longer state.
        this.#isMixed = true
        return NO_BYTES
      }
    }
  }

  /** Goes on to a newer state. @returns whether there is one. */
  *#advance(): Steps<boolean> {
    if (!this.#follows) return false
    const header = yield* readHeader(this.#file, this.#fd)
    if (equalBytes(recordsOf(header), recordsOf(this.#header))) return false
    checkSame(this.#file, header, this.#header)
    const { size } = yield* io.fstat(this.#fd)
    const before = this.state.record.sequence
    const sighting = yield* findBesideWriter(this.#file, this.#fd, header, size, { wasOpen: true }, before)
    const { sequence } = sighting.found.state.record
    if (sequence < before) {
      throw new RollbackError('an older version of the file was put back since it was opened', { path: this.#file.path })
    }
    this.#header = sighting.header
    if (sequence === before) return false
    this.#found = sighting.found
    yield* this.#reader.forget()
    return true
  }

  /** Checks the snapshot where the last segment was read and all others before it. */
  *#checkThrough(): Steps<void> {
    const { record, count } = this.state
    if (this.#through.count !== count) return
    const key = this.#file.schedule.snapshotKey!
    const accumulator = key.open(count + 1, record.snapshot)
    if (accumulator === undefined) throw this.#file.damaged('the snapshot is damaged')
    accumulate(accumulator, key.contribution(count, record.finalTag))
    if (this.#through.endsWith(accumulator)) return
    if ((yield* this.#advance()) || record.sequence !== this.#throughBegan) this.#isMixed = true
    else throw this.#file.rolledBack()
  }
}

function* readHeader(file: ContainerFile, fd: number): Steps<Uint8Array> {
  const header = new Uint8Array(file.geometry.headerSize)
  return header.subarray(0, yield* readFully(fd, header, 0))
}

function recordsOf(header: Uint8Array): Uint8Array {
  return header.subarray(recordPosition(0), recordPosition(RECORD_COUNT))
}

/** @throws CorruptedFileError if the two headers are not of one file. */
function checkSame(file: ContainerFile, header: Uint8Array, before: Uint8Array): void {
  const isSame = equalBytes(header.subarray(0, PREAMBLE_SIZE), before.subarray(0, PREAMBLE_SIZE))
  if (!isSame || header.length < before.length) throw file.damaged('the file was emptied or written anew meanwhile: open it again')
}

/**
 * Finds the state of a file that a writer may be changing: what does not fit together is looked at again as long as the records
 * change. A header that was read while it was written may hold some records from before and others from after.
 *
 * @param known - The sequence of a commit that was there before.
 * @throws LockedError if they change each time.
 */
function* findBesideWriter(
  file: ContainerFile,
  fd: number,
  header: Uint8Array,
  size: number,
  search: Search,
  known = 0,
): Steps<Sighting> {
  for (let tries = 0; tries < TRIES; tries++) {
    let found: FoundState | undefined
    let damage: CorruptedFileError | undefined
    try {
      found = yield* new StateFinder(file, fd, size, search).find(header)
      const { fellBack, slots, state } = found
      const isPlain = !fellBack && slots.every((record) => record !== undefined) && state.record.sequence >= known
      if (isPlain) return { found, header }
    } catch (error) {
      if (!(error instanceof CorruptedFileError)) throw error
      damage = error
    }
    const again = yield* readHeader(file, fd)
    checkSame(file, again, header)
    if (equalBytes(recordsOf(again), recordsOf(header))) {
      if (found !== undefined) return { found, header }
      throw damage!
    }
    header = again
    size = (yield* io.fstat(fd)).size
    yield* io.sleep(PAUSE_MS)
  }
  throw file.changing()
}
