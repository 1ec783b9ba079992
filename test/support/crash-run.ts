import { constants } from 'node:fs'
import { ByteReader } from '../../src/bytes/integers.js'
import { RECORD_COUNT, RECORD_SIZE, recordPosition } from '../../src/container/commit-record.js'
import { CorruptedFileError } from '../../src/errors.js'
import { StateFinder } from '../../src/file/engine/committed-state.js'
import { ContainerFile } from '../../src/file/engine/container-file.js'
import { parseFlags, type Access } from '../../src/file/flags.js'
import { resolveOpenOptions, type ResolvedOptions } from '../../src/file/options.js'
import { runSync } from '../../src/file/io/runners.js'
import { Session } from '../../src/file/session.js'
import { KeyManager } from '../../src/keys/key-manager.js'
import { afterPowerCut, afterProcessDeath, FaultDisk, lastIndex, RecordedFile, storageAfter, type Operation } from './fault-disk.js'
import type { SeededRandom } from './seeded-random.js'

/** Scripts of what is done to a file, the committed states that they lead to, and the check that a crash leaves one of these. */

export const PATH = '/disk/file.enc'
export const SEGMENT_SIZE = 4_096

const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x5a))

export interface RunOptions {
  readonly durability?: 'os' | 'fsync'
  readonly recover?: boolean
  readonly segmentSize?: number
}

export function optionsOf({ durability = 'os', recover = false, segmentSize = SEGMENT_SIZE }: RunOptions = {}): ResolvedOptions {
  return resolveOpenOptions({ keyManager, purpose: 'crash', segmentSize, durability, recover })
}

/** The file may be empty, which `r+` would not open: what a session that died before its first commit has left. */
export function accessOf(flags: 'w' | 'a' | 'r+'): Access {
  return parseFlags(flags === 'r+' ? constants.O_RDWR | constants.O_CREAT : flags)
}

/** @returns how long `content` is to become. */
export function lengthAt(content: Buffer, { share, isAligned }: { readonly share: number; readonly isAligned: boolean }): number {
  const length = Math.floor(content.length * share)
  return isAligned ? Math.floor(length / SEGMENT_SIZE) * SEGMENT_SIZE : length
}

export type Step =
  | { readonly do: 'open'; readonly flags: 'w' | 'a' | 'r+'; readonly durability: 'os' | 'fsync'; readonly recover?: boolean }
  | { readonly do: 'append'; readonly size: number }
  | { readonly do: 'write'; readonly position: number; readonly size: number }
  | { readonly do: 'truncate'; readonly length: number }
  /** To a share of what the file holds then, or to the segment's end before that. */
  | { readonly do: 'truncate'; readonly share: number; readonly isAligned: boolean }
  | { readonly do: 'commit' | 'sync' | 'close' | 'die' }

/** A state that a record made the file's. */
export interface Commit {
  readonly content: Buffer
  /** How many operations there were once its record was written; 0 for what an earlier crash left. */
  readonly written: number
  readonly clean: boolean
  readonly applied: boolean
  /** The snapshot in hexadecimal: two records of one state have the same. */
  readonly snapshot: string
}

/** One file from its creation on, or from the crash before. */
export interface Life {
  readonly file: RecordedFile
  /** From the oldest to the newest. */
  readonly commits: Commit[]
  /** Which of the commits the disk surely held at the beginning; -1 for none. */
  readonly floor: number
  /** After how many operations a file that was opened by `recover` is no longer damaged; infinity before it was opened. */
  repaired?: number
}

interface RecordFields {
  readonly sequence: number
  readonly length: number
  readonly clean: boolean
  readonly applied: boolean
  readonly snapshot: string
}

/** Whether an operation writes a commit record and nothing else. */
export function isRecordWrite(operation: Operation): boolean {
  if (operation.kind !== 'write' || operation.bytes.length !== RECORD_SIZE) return false
  return Array.from({ length: RECORD_COUNT }, (_, slot) => recordPosition(slot)).includes(operation.position)
}

/** What the record says that an operation writes, alone or in the header of a new file. */
function recordIn(operation: Operation): RecordFields | undefined {
  if (operation.kind !== 'write') return undefined
  const isHeader = operation.position === 0 && operation.bytes.length >= recordPosition(0) + RECORD_SIZE
  if (!isHeader && !isRecordWrite(operation)) return undefined
  const reader = new ByteReader(operation.bytes.subarray(isHeader ? recordPosition(0) : 0))
  const [sequence, , length] = [reader.u64(), reader.u64(), reader.u64()]
  reader.bytes(36)
  const flags = reader.u32()
  reader.bytes(92)
  const snapshot = Buffer.from(reader.bytes(64)).toString('hex')
  return { sequence, length, clean: flags % 2 === 1, applied: flags >= 2, snapshot }
}

/** Carries out scripts on a disk in memory, and knows which contents were committed and when. */
export class CrashRun {
  readonly disk: FaultDisk
  /** All files that the script made, the present one last. */
  readonly lives: Life[] = []
  #session: Session | undefined
  /** What was written so far, committed or not. */
  #content: Buffer = Buffer.alloc(0)
  /** Operations of the present life that were looked at. */
  #seen = 0
  #newest = 0
  readonly #random: SeededRandom
  readonly #segmentSize: number

  /** @param life - Goes on with a file after a crash. */
  constructor(random: SeededRandom, life?: Life, segmentSize = SEGMENT_SIZE) {
    this.#random = random
    this.#segmentSize = segmentSize
    this.disk = new FaultDisk(life === undefined ? {} : { [PATH]: life.file })
    if (life === undefined) return
    this.lives.push(life)
    this.#seen = life.file.operations.length
  }

  get life(): Life {
    return this.lives.at(-1)!
  }

  get session(): Session | undefined {
    return this.#session
  }

  /** What was written so far, committed or not. */
  get content(): Buffer {
    return this.#content
  }

  run(steps: readonly Step[]): void {
    for (const step of steps) this.step(step)
  }

  step(step: Step): void {
    this.#perform(step)
    this.observe()
  }

  /** Takes down what was committed since it was called last. */
  observe(): void {
    const { operations } = this.life.file
    for (; this.#seen < operations.length; this.#seen++) {
      const record = recordIn(operations[this.#seen]!)
      if (record === undefined || record.sequence <= this.#newest) continue
      this.#newest = record.sequence
      const { length, clean, applied, snapshot } = record
      const last = this.life.commits.at(-1)
      const content = last?.snapshot === snapshot ? last.content : Buffer.from(this.#content.subarray(0, length))
      if (content.length !== length) throw new Error(`a record of ${length} bytes where ${content.length} were written`)
      this.life.commits.push({ content, written: this.#seen + 1, clean, applied, snapshot })
    }
  }

  #perform(step: Step): void {
    switch (step.do) {
      case 'open':
        this.#open(step)
        return
      case 'append':
        this.#write(this.#content.length, step.size, null)
        return
      case 'write':
        this.#write(step.position, step.size, step.position)
        return
      case 'truncate':
        this.#truncate('length' in step ? step.length : lengthAt(this.#content, step))
        return
      case 'commit':
        this.#run(this.#session!.commit())
        return
      case 'sync':
        this.#run(this.#session!.sync('fdatasync'))
        return
      case 'close':
        try {
          this.#run(this.#session!.close())
        } finally {
          this.#session = undefined
        }
        return
      case 'die':
        this.#session = undefined
        this.disk.links.clear()
    }
  }

  #open({ flags, durability, recover = false }: Step & { do: 'open' }): void {
    const before = this.disk.files.get(PATH)
    if (flags === 'w') this.#content = Buffer.alloc(0)
    else this.#content = this.lives.at(-1)?.commits.at(-1)?.content ?? Buffer.alloc(0)
    const access = accessOf(flags)
    this.#session = this.#run(Session.open(PATH, access, optionsOf({ durability, recover, segmentSize: this.#segmentSize })))
    const file = this.disk.files.get(PATH)!
    if (recover || this.lives.at(-1)?.repaired === Infinity) this.life.repaired = file.operations.length
    if (file === before) return
    this.lives.push({ file, commits: [], floor: -1 })
    this.#seen = this.#newest = 0
  }

  #write(position: number, size: number, at: number | null): void {
    const data = this.#random.bytes(size)
    const grown = Buffer.alloc(Math.max(this.#content.length, position + size))
    this.#content.copy(grown)
    data.copy(grown, position)
    this.#content = grown
    if (at === null) this.#run(this.#session!.append(data))
    else this.#run(this.#session!.write(data, at))
  }

  #truncate(length: number): void {
    const content = Buffer.alloc(length)
    this.#content.copy(content)
    this.#run(this.#session!.truncate(length))
    this.#content = content
  }

  #run<T>(steps: Parameters<typeof runSync<T>>[1]): T {
    return runSync(this.disk, steps)
  }
}

/** Which commits of a life a crash may leave: from the oldest allowed to the newest possible; -1 for none. */
export interface Allowed {
  readonly oldest: number
  readonly newest: number
}

function newestWritten(commits: readonly Commit[], operationCount: number): number {
  return lastIndex(commits, ({ written }) => written <= operationCount)
}

/** After the death of the process: the newest; one more where its record was being written. */
function allowedAfterDeath({ commits }: Life, operationCount: number, isTorn: boolean): Allowed {
  return { oldest: newestWritten(commits, operationCount), newest: newestWritten(commits, operationCount + (isTorn ? 1 : 0)) }
}

/** After a power cut: none that is older than what was synced. */
function allowedAfterPowerCut({ file, commits, floor }: Life, operationCount: number): Allowed {
  const lastSync = lastIndex(file.operations.slice(0, operationCount), ({ kind }) => kind === 'sync')
  return { oldest: Math.max(floor, newestWritten(commits, lastSync)), newest: newestWritten(commits, operationCount) }
}

/** How often the interesting things happened. */
export class Tally {
  readonly #counts = new Map<string, number>()

  add(name: string, isSo = true): void {
    if (isSo) this.#counts.set(name, this.count(name) + 1)
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  toString(): string {
    return [...this.#counts].map(([name, count]) => `${name}: ${count}`).join(', ')
  }
}

/** What a crash left. */
export interface Crash {
  readonly content: Uint8Array
  readonly commits: readonly Commit[]
  readonly allowed: Allowed
  /** A power cut may have taken unsynced data, with the errors that this allows. */
  readonly isPowerCut: boolean
  /** It was damaged before, and is so until it was opened by `recover` once more. */
  readonly isDamaged: boolean
}

/** What a check found. */
export interface Found {
  /** Which commit; undefined where an error was allowed, and `recover` was of no help either. */
  readonly index: number | undefined
  readonly how: 'opened' | 'recovered' | 'nothing'
}

/** Thrown where a crash left what it must not. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

interface Failure {
  readonly error: unknown
  readonly stage: 'open' | 'read'
}

type Outcome = { readonly content: Buffer } | Failure

function readAll(disk: FaultDisk, options: RunOptions): Outcome {
  let stage: 'open' | 'read' = 'open'
  try {
    const session = runSync(disk, Session.open(PATH, parseFlags('r'), optionsOf(options)))
    stage = 'read'
    try {
      return { content: runSync(disk, session.readToEnd()) }
    } finally {
      runSync(disk, session.close())
    }
  } catch (error) {
    return { error, stage }
  }
}

function indexOf({ commits, allowed }: Crash, content: Buffer): number {
  for (let index = allowed.newest; index >= Math.max(0, allowed.oldest); index--) {
    if (commits[index]!.content.equals(content)) return index
  }
  const anywhere = lastIndex(commits, (commit) => commit.content.equals(content))
  const which = anywhere < 0 ? 'a content that never was' : `commit ${anywhere}`
  throw new Violation(`${which} (${content.length} bytes) where ${allowed.oldest} to ${allowed.newest} are allowed`)
}

/** Opens what a crash left, for reading and for writing, and checks that it is a committed state. @throws Violation */
export function checkCrash(crash: Crash, tally: Tally): Found {
  const { content, allowed } = crash
  const disk = diskOf(content)
  const outcome = readAll(disk, {})
  if ('error' in outcome) return explainError(crash, outcome, tally)
  const index = indexOf(crash, outcome.content)
  tally.add('opened')
  tally.add('older than the newest', index < allowed.newest && !crash.commits[allowed.newest]!.content.equals(outcome.content))
  describe(content, tally)
  // A writer sees the same, and leaves the same.
  const session = runSync(disk, Session.open(PATH, parseFlags('a'), optionsOf()))
  expectSame(readAll(disk, {}), outcome.content, 'once a writer has opened it')
  runSync(disk, session.close())
  expectSame(readAll(disk, {}), outcome.content, 'once a writer has closed it')
  return { index, how: 'opened' }
}

function diskOf(content: Uint8Array): FaultDisk {
  return new FaultDisk({ [PATH]: new RecordedFile(content, []) })
}

function expectSame(outcome: Outcome, content: Buffer, when: string): void {
  if ('error' in outcome) throw new Violation(`${when}: ${String(outcome.error)}`)
  if (!outcome.content.equals(content)) throw new Violation(`${when} it has other content`)
}

function explainError(crash: Crash, { error, stage }: Failure, tally: Tally): Found {
  const { allowed, commits, isPowerCut, isDamaged } = crash
  const mayBeClean = commits.slice(allowed.oldest + 1, allowed.newest + 1).some(({ clean }) => clean)
  if (allowed.oldest < 0) {
    tally.add('nothing committed yet')
    return { index: undefined, how: 'nothing' }
  }
  const violate = (why: string): never => {
    throw new Violation(`${why} (${stage}: ${String(error)})`)
  }
  if (!(error instanceof CorruptedFileError)) return violate('an error of another kind')
  if (!isDamaged) {
    if (!isPowerCut) return violate('an error after the death of a process')
    if (stage === 'open' && !mayBeClean) return violate('it does not open, and was not closed')
    if (allowed.newest - allowed.oldest < (mayBeClean ? 1 : 2)) return violate('there were no several commits to lose')
    tally.add(stage === 'open' ? 'closed and lost' : 'lost from the middle')
  }
  if (stage === 'read' && !isDamaged) checkSegments(crash, violate)
  const recovered = readAll(diskOf(crash.content), { recover: true })
  if ('error' in recovered) return violate(`recover does not help: ${String(recovered.error)}`)
  const index = indexOf(crash, recovered.content)
  tally.add('recovered')
  return { index, how: 'recovered' }
}

/** Whatever of a damaged file can be read belongs to one committed state, and what was synced and not changed since can be read. */
function checkSegments({ content, commits, allowed }: Crash, violate: (why: string) => never): void {
  const disk = diskOf(content)
  const session = runSync(disk, Session.open(PATH, parseFlags('r'), optionsOf()))
  const { size } = runSync(disk, session.stat())
  const segments = Array.from({ length: Math.ceil(size / SEGMENT_SIZE) }, (_, i) => {
    const target = Buffer.alloc(Math.min(SEGMENT_SIZE, size - i * SEGMENT_SIZE))
    try {
      runSync(disk, session.read(target, i * SEGMENT_SIZE))
      return target
    } catch {
      return undefined
    }
  })
  runSync(disk, session.close())
  const candidates = commits.slice(allowed.oldest, allowed.newest + 1)
  const pieceOf = (commit: Commit, index: number) => commit.content.subarray(index * SEGMENT_SIZE, (index + 1) * SEGMENT_SIZE)
  const match = candidates.find(
    (commit) =>
      commit.content.length === size && segments.every((segment, i) => segment === undefined || segment.equals(pieceOf(commit, i))),
  )
  if (match === undefined) return violate('what can be read is of no committed state')
  for (const [i, segment] of segments.entries()) {
    if (segment === undefined && candidates.every((commit) => pieceOf(commit, i).equals(pieceOf(match, i)))) {
      violate(`segment ${i} is lost, though it was synced`)
    }
  }
}

/** Counts what kind of state an opener took. */
function describe(content: Uint8Array, tally: Tally): void {
  const disk = diskOf(content)
  const fd = disk.sync.open(PATH, 0, 0)
  const file = ContainerFile.open(PATH, optionsOf(), content)
  const header = content.subarray(0, file.geometry.headerSize)
  const found = runSync(disk, new StateFinder(file, fd, content.length).find(header))
  file.dispose()
  tally.add('fell back', found.fellBack)
  tally.add('pending list', found.state.redo.size > 0)
  tally.add('applied list', found.state.record.applied)
  tally.add('clean', found.state.record.clean)
  tally.add(
    'invalid record',
    found.slots.some((record) => record === undefined),
  )
  tally.add('durable by a later record', found.state.record.sequence <= found.durableSequence)
}

/** @returns what goes on after a crash: the file, the commits that it still has, and which of them are surely on disk. */
export function afterCrash(crash: Crash, index: number, life: Life, operationCount: number, torn: Operation | undefined): Life {
  if (crash.isPowerCut) {
    const commits = crash.commits.slice(0, index + 1).map((commit) => ({ ...commit, written: 0 }))
    return { file: new RecordedFile(Buffer.from(crash.content), []), commits, floor: crash.allowed.oldest }
  }
  const operations = life.file.operations.slice(0, operationCount)
  const file = new RecordedFile(life.file.base, torn === undefined ? operations : [...operations, torn])
  const commits = life.commits.slice(0, index + 1)
  return { file, commits, floor: life.floor, repaired: crash.isDamaged ? Infinity : (life.repaired ?? 0) }
}

/** @returns a life as it was after some operations, of which a crash left `content`. */
export function crashTo(life: Life, operationCount: number, content: Uint8Array, isPowerCut: boolean): Crash {
  const allowed = isPowerCut ? allowedAfterPowerCut(life, operationCount) : allowedAfterDeath(life, operationCount, false)
  return { content, commits: life.commits, allowed, isPowerCut, isDamaged: operationCount < (life.repaired ?? 0) }
}

/** @returns a life as it was after some operations, as the death of the process leaves it. */
export function crashByDeath(life: Life, operationCount: number, torn: Operation | undefined): Crash {
  const operations = life.file.operations.slice(0, operationCount)
  if (torn !== undefined) operations.push(torn)
  const crash = crashTo(life, operationCount, afterProcessDeath(life.file.base, operations), false)
  return { ...crash, allowed: allowedAfterDeath(life, operationCount, torn !== undefined) }
}

/** @returns a life as it was after some operations, as a power cut leaves it. */
export function crashByPowerCut(life: Life, operationCount: number, random: SeededRandom, tally: Tally): Crash {
  const storage = storageAfter(life.file.base, life.file.operations.slice(0, operationCount))
  const { content, tornRecord } = afterPowerCut(storage, random, isRecordWrite)
  tally.add('torn record', tornRecord)
  return crashTo(life, operationCount, content, true)
}

function randomSize(random: SeededRandom): number {
  const kind = random.next()
  if (kind < 0.55) return random.int(1, 300)
  if (kind < 0.85) return random.int(300, 6_000)
  return kind < 0.93 ? SEGMENT_SIZE * random.int(1, 4) : random.int(6_000, 40_000)
}

/** One session: from its opening until it is closed, or until the process dies. */
export function randomSession(random: SeededRandom, flags: 'w' | 'a' | 'r+', stepCount: number): Step[] {
  const steps: Step[] = [{ do: 'open', flags, durability: random.chance(0.15) ? 'fsync' : 'os' }]
  let length = flags === 'r+' ? random.int(0, 20_000) : 0
  const style = random.pick(['mixed', 'mixed', 'log', 'edit'])
  const shortening = style === 'log' ? 0 : random.pick([0, 0.1, 0.2])
  while (steps.length < stepCount) {
    const kind = random.next()
    const size = style === 'log' ? random.int(1, 600) : randomSize(random)
    if (random.chance(shortening)) {
      const share = random.pick([0, random.next(), random.next(), 1, 1 + random.next() / 4])
      steps.push({ do: 'truncate', share, isAligned: random.chance(0.3) })
      length = Math.floor(length * share)
    } else if (flags !== 'a' && length > 0 && kind < (style === 'edit' ? 0.45 : 0.2)) {
      const position = random.int(0, random.chance(0.15) ? length + 6_000 : length)
      steps.push({ do: 'write', position, size })
      length = Math.max(length, position + size)
    } else if (kind < 0.55) {
      steps.push({ do: 'append', size })
      length += size
    } else steps.push({ do: kind < 0.92 ? 'commit' : 'sync' })
  }
  steps.push({ do: random.chance(0.6) ? 'close' : 'die' })
  return steps
}
