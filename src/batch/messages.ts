import type { FileMessage } from '../audit-channels.js'
import type { CipherName } from '../seal/suites.js'
import type { Place } from '../file/successor-file.js'
import type { BadReport } from './damage.js'
import type { PackedError } from './error-transfer.js'
import type { SegmentRange } from '../file/engine/range-sealer.js'
import type { TargetStamp } from './target-stamp.js'

/** What the main thread and its workers say to each other. No message holds a key. */

/** The channels of `node:diagnostics_channel` that workers have something to tell on. */
export const FILE_CHANNELS = ['sealfile:file-open', 'sealfile:file-create'] as const

export type Direction = 'encrypt' | 'decrypt' | 'verify'

/** What a worker is started with. */
export interface WorkerSettings {
  readonly direction: Direction
  readonly context: Uint8Array
  readonly segmentSize: number
  readonly cipher: CipherName
  /** Plaintext bytes that are encrypted at a time. */
  readonly pieceLength: number
  readonly durability: 'os' | 'fsync'
  readonly overwrite: boolean
  /** Tell of targets how they were when they were made. */
  readonly isRecorded: boolean
  /** Tell what the channels of `node:diagnostics_channel` say. */
  readonly isAudited: boolean
  /** Bytes of sources a second, of all workers together. */
  readonly bytesPerSecond: number | undefined
  /** Where keys are asked for. */
  readonly desk: SharedArrayBuffer
  /** What all workers of a batch look at. */
  readonly common: SharedArrayBuffer
  /** What this one has done. */
  readonly counters: SharedArrayBuffer
}

/** One file to be made of another, or to be checked. Bytes in place of a text come out of a message as a Uint8Array. */
export interface FileTask {
  readonly source: Place
  /** Where nothing is made, the source. */
  readonly target: Place
  readonly purpose: string
  /** Makes the name of the temporary file, so that whoever outlives the worker can remove it. */
  readonly token: string
  /** What may be in the target's place: a file that this batch made. Undefined for nothing. */
  readonly replaces?: TargetStamp | undefined
}

/** A file that was begun, to be worked on range by range: what every worker must know of it. */
export type BegunFile = BegunSealing | BegunOpening

interface Begun {
  /** Plaintext bytes. */
  readonly length: number
  readonly segmentSize: number
  /** The source, as it was. */
  readonly stamp: SourceStamp
}

/** A file that is being encrypted. */
interface BegunSealing extends Begun {
  /** Preamble and key slots. */
  readonly keyHeader: Uint8Array
}

/** A file that is being decrypted or checked. */
interface BegunOpening extends Begun {
  /** Of the commit record; undefined for a stream. */
  readonly digest: Uint8Array | undefined
}

/** A file as it was when it was opened. */
export interface SourceStamp {
  readonly dev: number
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly atimeMs: number
  readonly mode: number
}

/** What is tried out with some files, in place of what the worker was started with. */
export type TrialSettings = Partial<Pick<WorkerSettings, 'segmentSize' | 'pieceLength'>>

/** What a worker is to do. */
export type Task =
  | { readonly type: 'look'; readonly files: readonly Pick<FileTask, 'source' | 'target'>[] }
  | { readonly type: 'files'; readonly files: readonly FileTask[]; readonly trial?: TrialSettings }
  | { readonly type: 'begin'; readonly file: FileTask }
  | { readonly type: 'range'; readonly file: FileTask; readonly begun: BegunFile; readonly range: SegmentRange }
  | { readonly type: 'finish'; readonly file: FileTask; readonly begun: BegunFile; readonly whole: RangeResult }

/** What comes of each kind of task. */
export interface Results {
  /** Errors where there is nothing to work on. */
  readonly look: readonly (SeenFile | PackedError)[]
  readonly files: GroupResult
  readonly begin: BegunFile
  readonly range: RangeResult
  /** The target; undefined unless that is to be recorded. */
  readonly finish: TargetStamp | undefined
}

/** What was seen of a file before it is worked on. */
export interface SeenFile {
  readonly source: SourceStamp
  /** What is in the target's place; undefined for nothing, and unless targets are recorded. */
  readonly target: TargetStamp | undefined
}

/** What came of a range of a file, or of all of them. */
export interface RangeResult {
  /** Over their segments; undefined where the file keeps none. */
  readonly accumulator: Uint8Array | undefined
  /** Where files are checked: the segments that do not authenticate. */
  readonly found?: BadReport
}

/** What came of some files. */
export interface GroupResult {
  /** How many were begun and ended: fewer than asked for where the batch was stopped. */
  readonly done: number
  /** Plaintext bytes of those that did not fail. */
  readonly bytes: number
  /** The targets that were made, by their places in the group; none unless they are to be recorded. */
  readonly targets: ReadonlyMap<number, TargetStamp>
  readonly times: GroupTimes
}

/** When the files of a group were there, in milliseconds since it was begun. */
export interface GroupTimes {
  /** Files that did not fail; the others count for nothing here. */
  readonly made: number
  readonly firstMs: number
  readonly lastMs: number
  /** Of all of them, added up. */
  readonly sumMs: number
}

/** A file of a group could not be made: told at once, because the worker may not live to tell it later. */
export interface FailureMessage {
  /** Its place in the group. */
  readonly index: number
  readonly failure: PackedError
}

/** Something was told on a channel, for whoever listens in the main thread. */
export interface AuditMessage {
  readonly channel: (typeof FILE_CHANNELS)[number]
  readonly told: FileMessage
}

/** The answer to a task. */
export type Answer =
  | { readonly value: Results[keyof Results]; readonly milliseconds: number }
  | { readonly error: PackedError; readonly isStopped: boolean }
