import type { CommitRecord } from '../../container/commit-record.js'
import { segmentCount, segmentLength } from '../../container/geometry.js'
import type { Steps } from '../io/steps.js'
import type { CommittedState, FoundState } from './committed-state.js'
import { Committer } from './committer.js'
import type { ContainerFile } from './container-file.js'
import type { Content } from './content.js'
import { DirtySegments, type DirtySegment } from './dirty-segments.js'
import { checkNewLength } from './new-header.js'
import type { Replacement } from './redo-writer.js'
import type { SegmentReader } from './segment-reader.js'
import { ThroughCheck } from './through-check.js'

/** How an editor commits. */
export interface EditorOptions {
  /** Every commit waits for the disk. */
  readonly isDurable: boolean
  /** Called for each commit that is on the disk; may be called again for one. */
  readonly onDurable?: (record: CommitRecord) => Steps<void>
}

/** How much may gather before it is committed, whatever the timer says. */
const COMMIT_SIZE = 4 * 2 ** 20
/** How much memory dirty segments may take before they are committed. */
const DIRTY_SIZE = 8 * 2 ** 20

/**
 * Changes an editable file: gathers writes in memory as dirty segments, and commits them. A segment's newest version is in one of
 * three places: among the dirty ones, at its place in the file since the last commit ("placed"), or in the committed state.
 */
export class Editor implements Content {
  readonly #file: ContainerFile
  readonly #reader: SegmentReader
  readonly #options: EditorOptions
  readonly #committer: Committer
  readonly #dirty: DirtySegments
  readonly #through: ThroughCheck
  #length: number
  /**
   * Segments from here on that have a place have lost what they held there, because the file was made shorter since the last
   * commit. Infinity where it was not.
   */
  #keptCount = Infinity
  #uncommittedBytes = 0
  /** A commit may be on the disk of which nobody was told. */
  #isUntold = false
  #writtenTo = 0
  /** Every write since the last commit was at the end. */
  #isAppending = true

  private constructor(file: ContainerFile, reader: SegmentReader, options: EditorOptions, committer: Committer) {
    this.#file = file
    this.#reader = reader
    this.#options = options
    this.#committer = committer
    this.#dirty = new DirtySegments(file.geometry.segmentSize)
    this.#through = new ThroughCheck(file.schedule.snapshotKey!)
    this.#length = committer.placedLength
  }

  /**
   * An editor of a file that has no byte yet. The first is written by a commit, or when much has gathered.
   *
   * @param keyHeader - What {@link ContainerFile.create} returned.
   */
  static create(file: ContainerFile, fd: number, reader: SegmentReader, options: EditorOptions, keyHeader: Uint8Array): Editor {
    return new Editor(file, reader, options, Committer.create(file, fd, reader, keyHeader))
  }

  /** An editor of a file that an opener has looked at. @param size - Of the file. */
  static *open(
    file: ContainerFile,
    fd: number,
    reader: SegmentReader,
    options: EditorOptions,
    found: FoundState,
    size: number,
  ): Steps<Editor> {
    return new Editor(file, reader, options, yield* Committer.open(file, fd, reader, found, size))
  }

  /** Plaintext bytes, with what is not committed yet. */
  get length(): number {
    return this.#length
  }

  /** Where the last write got to, also when it failed on the way. */
  get writtenTo(): number {
    return this.#writtenTo
  }

  /** Something was written that no commit holds, or that was not told of. */
  get isDirty(): boolean {
    return this.#isUntold || this.#hasChanges
  }

  get #hasChanges(): boolean {
    return this.#uncommittedBytes > 0 || this.#isShorter || this.#committer.isBehind
  }

  *read(target: Uint8Array, position: number): Steps<number> {
    const { length } = this
    const read = yield* this.#reader.copy(target, { length, position }, (index, last) => this.#plaintextOf(index, last))
    const isWhole = read > 0 && position + read === length && this.#through.count === segmentCount(this.#file.geometry, length)
    if (isWhole && !this.#isShorter && !this.#through.endsWith(this.#committer.accumulator)) throw this.#file.rolledBack()
    return read
  }

  *refresh(): Steps<void> {
    // Nobody else may change the file.
  }

  takeMixed(): boolean {
    return false
  }

  get state(): CommittedState | undefined {
    return this.#committer.live
  }

  forget(): Steps<void> {
    return this.#reader.forget()
  }

  /**
   * Writes `data` at `position`; what lies between the end and there becomes zeros. May commit.
   *
   * @throws LimitError if the file would grow too long, or was rewritten too often for its key.
   */
  *write(data: Uint8Array, position: number): Steps<void> {
    this.#committer.checkUsable()
    this.#writtenTo = position
    if (data.length === 0) return
    checkNewLength(this.#file, position + data.length)
    if (position !== this.#length) this.#isAppending = false
    yield* this.#fillTo(position)
    yield* this.#writePieces(data, position)
  }

  /**
   * Makes the file `length` bytes long: drops what lies behind, or adds zeros.
   *
   * @throws LimitError if the file would grow too long.
   */
  *truncate(length: number): Steps<void> {
    this.#committer.checkUsable()
    checkNewLength(this.#file, length)
    if (length < this.#length) yield* this.#shorten(length)
    else yield* this.#fillTo(length)
  }

  /**
   * Makes what was written the file's state, without waiting for the disk.
   *
   * @param leaveTail - A short last segment may wait for the next commit, where all that was written since the last one was
   *   appended and there is something else to commit: it would have to be replaced soon.
   * @param clean - The file is about to be closed.
   */
  *commit({ leaveTail = false, clean = false }: { readonly leaveTail?: boolean; readonly clean?: boolean } = {}): Steps<void> {
    const committer = this.#committer
    committer.checkUsable()
    yield* committer.finishCut()
    if (!this.#hasChanges) {
      if (this.#isUntold) yield* this.#makeDurable()
      return
    }
    this.#through.abandon()
    const tail = this.#dirty.get(committer.placedCount)
    const hasMore = committer.addedCount > 0 || this.#dirty.count > 1
    if (tail !== undefined && !(leaveTail && this.#isAppending && hasMore)) {
      yield* committer.makeRoom()
      this.#place(committer.placedCount, tail.buffer.subarray(0, tail.length))
    }
    const { geometry } = this.#file
    const length = this.#dirty.has(committer.placedCount) ? committer.placedCount * geometry.segmentSize : this.#length
    const count = segmentCount(geometry, length)
    yield* committer.commit(length, this.#replacements(count), clean)
    this.#dirty.dropBefore(count)
    this.#uncommittedBytes = this.#length - length
    this.#isAppending = true
    this.#keptCount = Infinity
    yield* committer.finishCut()
    if (this.#options.isDurable) yield* this.#makeDurable()
    yield* committer.applyIfLarge()
  }

  /** Commits, and waits until the commit is on disk. */
  *sync(): Steps<void> {
    yield* this.commit()
    yield* this.#makeDurable()
  }

  /** Commits for the last time, and marks the file as closed; where commits wait for the disk, only once it has the last one. */
  *close(): Steps<void> {
    try {
      yield* this.commit({ clean: !this.#options.isDurable })
    } catch (error) {
      yield* this.abandon()
      yield* this.#committer.removeUnbegun()
      throw error
    }
    yield* this.#committer.close()
  }

  /** Waits for what is under way, whatever comes of it, so that the file can be closed. */
  abandon(): Steps<void> {
    return this.#committer.abandon()
  }

  /** Waits until the live commit is on disk, and tells of it. */
  *#makeDurable(): Steps<void> {
    yield* this.#committer.sync()
    const { record } = this.#committer.live!
    this.#isUntold = true
    yield* this.#options.onDurable?.(record) ?? []
    this.#isUntold = false
  }

  /** The file was made shorter, by segments that have a place, since the last commit. */
  get #isShorter(): boolean {
    return this.#keptCount < this.#committer.placedCount
  }

  /** Adds zeros up to `length`. */
  *#fillTo(length: number): Steps<void> {
    while (this.#length < length) {
      const zeros = new Uint8Array(Math.min(length - this.#length, this.#file.geometry.segmentSize))
      yield* this.#writePieces(zeros, this.#length)
    }
  }

  *#writePieces(data: Uint8Array, start: number): Steps<void> {
    const { segmentSize } = this.#file.geometry
    const committer = this.#committer
    for (let position = start; position < start + data.length;) {
      const index = Math.floor(position / segmentSize)
      // Before more is taken: a write that fails here has taken nothing of what follows.
      if (this.#isLarge) yield* this.commit({ leaveTail: true })
      else if (committer.hasFull) yield* committer.writeFull()
      const offset = position - index * segmentSize
      const piece = data.subarray(position - start, position - start + segmentSize - offset)
      const isNext = index === committer.placedCount
      // All that the file had lost is dirty by now: it is as long again as what has a place.
      if (isNext) this.#keptCount = Infinity
      if (isNext) yield* committer.makeRoom()
      if (isNext && piece.length === segmentSize) this.#place(index, piece)
      else this.#change(yield* this.#dirtySegment(index, offset === 0 ? piece.length : 0), index, offset, piece)
      position += piece.length
      this.#length = Math.max(this.#length, position)
      this.#uncommittedBytes += piece.length
      this.#writtenTo = position
    }
  }

  *#shorten(length: number): Steps<void> {
    const { segmentSize } = this.#file.geometry
    const count = segmentCount(this.#file.geometry, length)
    const last = count - 1
    const lastLength = length - last * segmentSize
    // What is left of the last segment is encrypted anew, and so must be here.
    if (count > 0 && lastLength < segmentSize) (yield* this.#dirtySegment(last, 0)).length = lastLength
    this.#dirty.dropFrom(count)
    this.#reader.dropFrom(count)
    if (count < this.#committer.placedCount) this.#keptCount = Math.min(this.#keptCount, count)
    this.#through.abandon()
    this.#isAppending = false
    this.#length = length
    this.#uncommittedBytes = Math.max(this.#uncommittedBytes, 1)
  }

  /** So much waits for a commit that it should not wait for the timer. */
  get #isLarge(): boolean {
    const { segmentSize } = this.#file.geometry
    return (
      this.#uncommittedBytes >= Math.max(COMMIT_SIZE, segmentSize) ||
      this.#dirty.memoryLength >= Math.max(DIRTY_SIZE, 2 * segmentSize)
    )
  }

  /** Changes a part of a segment in memory; places it when it is the next one and full. */
  #change(segment: DirtySegment, index: number, offset: number, piece: Uint8Array): void {
    segment.buffer.set(piece, offset)
    segment.length = Math.max(segment.length, offset + piece.length)
    if (index === this.#committer.placedCount && segment.length === segment.buffer.length) this.#place(index, segment.buffer)
  }

  #place(index: number, plaintext: Uint8Array): void {
    this.#committer.place(plaintext)
    this.#dirty.drop(index)
  }

  /** The segment in memory. @param covered - How many bytes from its beginning are about to be replaced. */
  *#dirtySegment(index: number, covered: number): Steps<DirtySegment> {
    return this.#dirty.get(index) ?? (yield* this.#makeDirty(index, covered))
  }

  /** @param covered - How many bytes from the segment's beginning are about to be replaced. */
  *#makeDirty(index: number, covered: number): Steps<DirtySegment> {
    const committer = this.#committer
    this.#through.abandon()
    if (index >= committer.placedCount) return this.#dirty.add(index, new Uint8Array(0), undefined)
    if (index >= this.#keptCount) return this.#dirty.add(index, new Uint8Array(0), yield* committer.tagOf(index))
    const state = yield* committer.stateWith(index)
    const length = segmentLength(this.#file.geometry, state.length, index)
    if (covered >= length) {
      const tag = yield* committer.tagOf(index)
      this.#reader.drop(index)
      return this.#dirty.add(index, new Uint8Array(0), tag)
    }
    const { plaintext, tag } = yield* this.#reader.load(state, index)
    const segment = this.#dirty.add(index, plaintext, tag)
    this.#reader.drop(index)
    return segment
  }

  *#plaintextOf(index: number, last: number): Steps<Uint8Array> {
    const dirty = this.#dirty.get(index)
    if (dirty !== undefined) {
      this.#through.note(index, dirty.replacedTag)
      return dirty.buffer.subarray(0, dirty.length)
    }
    const { plaintext, tag } = yield* this.#reader.load(yield* this.#committer.stateWith(index), index, last)
    this.#through.note(index, tag)
    return plaintext
  }

  /** The dirty segments that have a place already. */
  #replacements(count: number): Map<number, Replacement> {
    const replacements = new Map<number, Replacement>()
    for (const [index, { buffer, length, replacedTag }] of this.#dirty.entries()) {
      if (index < count && replacedTag !== undefined) {
        replacements.set(index, { plaintext: buffer.subarray(0, length), replacedTag })
      }
    }
    return replacements
  }
}
