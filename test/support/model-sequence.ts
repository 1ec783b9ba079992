import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { OpenOptions } from '../../src/file/options.js'
import { KeyManager } from '../../src/keys/key-manager.js'
import { Choices } from './model-choices.js'
import { accessOf, ModelFile, type Flags } from './model-file.js'
import { describeOperation, type ModelHandle, type Operation } from './model-operations.js'
import { PlainFile } from './model-plain-file.js'
import { openHandle, Readers } from './model-readers.js'
import { Session } from './model-session.js'
import { STYLES, type Action, type StyleName } from './model-styles.js'
import { SeededRandom } from './seeded-random.js'

/** So long that the timer does nothing. */
const NO_TIMER_MS = 3_600_000

const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x33))

export interface SequenceOptions {
  /** A folder for this sequence alone. */
  readonly folder: string
  readonly isAsync: boolean
  readonly style: StyleName
  /** Operations after which it ends. */
  readonly length: number
  /** Puts another handle in the place of the writer. */
  readonly wrap?: (handle: ModelHandle) => ModelHandle
}

/** A random sequence of operations on one file after the other, each compared with a model and with a plain file. */
export class Sequence {
  readonly #random: SeededRandom
  readonly #options: SequenceOptions
  readonly #choices: Choices
  readonly #openOptions: OpenOptions
  readonly #readers: Readers
  readonly #model = new ModelFile('r')
  #session: Session | undefined
  #fileCount = 0
  #exists = false
  #log: (Operation | string)[] = []
  #count = 0

  constructor(seed: number, options: SequenceOptions) {
    this.#random = new SeededRandom(seed)
    this.#options = options
    const segmentSize = this.#random.pick([4_096, 8_192])
    const cipher = this.#random.pick(['aes-256-gcm', 'aes-256-gcm', 'chacha20-poly1305'] as const)
    this.#openOptions = { keyManager, purpose: 'model', segmentSize, cipher }
    this.#choices = new Choices(this.#random, STYLES[options.style], segmentSize)
    this.#readers = new Readers(this.#random, this.#choices, this.#openOptions)
  }

  /** How many operations were carried out on the handle that is tested. */
  get count(): number {
    return this.#count
  }

  /** What was done since the file was begun last. */
  get log(): string {
    return this.#log.map((entry) => (typeof entry === 'string' ? entry : describeOperation(entry))).join('\n')
  }

  /** @throws Error where the three do not agree. */
  async run(): Promise<void> {
    mkdirSync(this.#options.folder, { recursive: true })
    try {
      while (this.#count < this.#options.length) await this.#step()
      if (this.#session !== undefined) await this.#close(this.#session)
    } finally {
      await Promise.allSettled([this.#session?.handle.close(), this.#session?.plain.close(), this.#readers.close()])
      rmSync(this.#options.folder, { recursive: true })
    }
  }

  get #path(): string {
    return join(this.#options.folder, `${this.#fileCount}.enc`)
  }

  get #plainPath(): string {
    return join(this.#options.folder, `${this.#fileCount}.txt`)
  }

  async #step(): Promise<void> {
    const session = this.#session
    if (session === undefined) return this.#open()
    if (session.hasTimer && this.#random.chance(0.1)) await turn()
    // There is little to do with a file that cannot be changed.
    const action = !this.#model.access.writes && this.#random.chance(0.2) ? 'reopen' : this.#choices.action(this.#model)
    switch (action) {
      case 'inFlight':
        return this.#runInFlight(session)
      case 'peek':
        return this.#peek(session)
      case 'race':
        return this.#race(session)
      case 'wait':
        return this.#wait(session)
      case 'reopen':
        return this.#close(session)
      default:
        return this.#runOperation(session, action)
    }
  }

  /** Opens both files, or sees both refused. */
  async #open(): Promise<void> {
    const flags = this.#choices.flags(this.#exists)
    const access = accessOf(flags)
    if (access.isExclusive && this.#exists && this.#random.chance(0.5)) await this.#goToNewName()
    const isTracking = this.#random.chance(0.5)
    const hasTimer = this.#random.chance(0.3)
    const durability = this.#random.chance(0.1) ? 'fsync' : 'os'
    const options: OpenOptions = {
      ...this.#openOptions,
      durability,
      commitInterval: hasTimer ? this.#random.int(1, 5) : NO_TIMER_MS,
    }
    // A file that is begun anew owes nothing to what it was before.
    if (!access.isExclusive && (!this.#exists || access.truncates)) this.#log = []
    const timer = hasTimer ? `timer ${options.commitInterval}` : 'no timer'
    const tracking = isTracking ? 'tracked' : 'native'
    this.#log.push(`open ${flags}: segments of ${options.segmentSize}, ${timer}, ${durability}, position ${tracking}`)
    this.#count++
    const { isAsync, wrap = (handle: ModelHandle) => handle } = this.#options
    const [plain, handle] = await Promise.allSettled([
      PlainFile.open(this.#plainPath, flags, isAsync, isTracking),
      openHandle(this.#path, flags, options, isAsync),
    ])
    const isRefused = access.isExclusive && this.#exists
    if (plain.status === 'fulfilled' && handle.status === 'fulfilled' && !isRefused) {
      const opened = { handle: wrap(handle.value), plain: plain.value, hasTimer }
      return this.#adopt(new Session(opened, this.#model, (operation) => this.#record(operation)), flags)
    }
    const codes = [plain, handle].map((result) => (result.status === 'rejected' ? codeOf(result.reason) : 'opened'))
    if (isRefused && codes.every((code) => code === 'EEXIST')) return
    const cause = [plain, handle].find((result) => result.status === 'rejected')?.reason as unknown
    throw new Error(`open ${flags}: node:fs ${codes[0]}, ours ${codes[1]}`, { cause })
  }

  /** Both files are open. */
  async #adopt(session: Session, flags: Flags): Promise<void> {
    this.#session = session
    this.#model.reopen(flags)
    const { access, length } = this.#model
    if (access.truncates && this.#exists) await this.#readers.checkRewritten()
    this.#exists = true
    if (access.reads) await session.run({ kind: 'read', lengths: [length + 1], isVector: false, position: 0 })
  }

  async #goToNewName(): Promise<void> {
    await this.#readers.close()
    rmSync(this.#path)
    rmSync(this.#plainPath)
    this.#fileCount++
    this.#exists = false
    this.#model.reopen('w')
  }

  #record(operation: Operation): void {
    this.#count++
    this.#log.push(operation)
  }

  async #runOperation(session: Session, action: Action): Promise<void> {
    const operation = this.#choices.operationOf(action, this.#model)
    // What would move our position, and could not move the system's, is left to sessions that track it.
    if (!session.plain.answers(operation) && operation.kind !== 'tell') return
    await session.run(operation)
    await session.checkPosition()
  }

  /** Several operations whose calls are made before the first is done, which handles that do not wait cannot tell from others. */
  async #runInFlight(session: Session): Promise<void> {
    const count = this.#choices.inFlightCount()
    this.#log.push(`${count} in flight`)
    const finishes = []
    for (let i = 0; i < count; i++) {
      const operation = this.#choices.operation(this.#model)
      if (session.plain.answers(operation)) finishes.push(session.begin(operation))
    }
    for (const finish of finishes) await finish()
  }

  /** Another handle looks at the file while it is being written. */
  async #peek(session: Session): Promise<void> {
    this.#log.push(`peek ${session.committed?.length}`)
    if (this.#random.chance(0.1)) await this.#expectLocked()
    if (session.hasTimer) await this.#readers.readCommitted(this.#path)
    else if (session.committed === undefined) await this.#commit(session)
    const { committed } = session
    if (committed === undefined) return
    if (this.#random.chance(0.5)) await this.#readers.checkNew(this.#path, committed)
    if (this.#random.chance(0.5)) await this.#readers.checkFollower(this.#path, committed)
  }

  async #commit(session: Session): Promise<void> {
    await session.run(this.#choices.operationOf(this.#random.pick(['commit', 'sync']), this.#model))
  }

  /** No other writer is let in; nor does it drop anything. */
  async #expectLocked(): Promise<void> {
    if (!this.#model.access.writes) return
    const flags = this.#random.pick(['w', 'r+', 'a'])
    const [opened] = await Promise.allSettled([openHandle(this.#path, flags, this.#openOptions, this.#options.isAsync)])
    if (opened.status === 'fulfilled') {
      await opened.value.close()
      throw new Error('there is a second writer')
    }
    if (codeOf(opened.reason) !== 'ERR_SEALFILE_LOCKED') throw opened.reason
  }

  /** Another handle reads while a change is being committed: it must see the state before or that after. */
  async #race(session: Session): Promise<void> {
    if (!this.#options.isAsync || session.hasTimer || !this.#model.access.writes) return
    const change = this.#choices.operationOf(this.#random.pick(['write', 'truncate']), this.#model)
    if (!session.plain.answers(change)) return
    await this.#commit(session)
    const before = session.committed!
    this.#log.push('race')
    const finishes = [session.begin(change), session.begin({ kind: this.#random.pick(['commit', 'sync']) })]
    const seen = await this.#readers.readWhole(this.#path, this.#random.chance(0.5))
    for (const finish of finishes) await finish()
    expectEither(seen, before, session.committed!)
  }

  /** The timer commits. */
  async #wait(session: Session): Promise<void> {
    if (!session.hasTimer || !this.#model.access.writes) return
    this.#log.push('wait')
    await this.#readers.waitFor(this.#path, this.#model.content)
    if (this.#random.chance(0.5)) await this.#readers.checkFollower(this.#path, Buffer.from(this.#model.content))
  }

  /** Closes both handles, at times before what was begun is done; then both files must hold what the model does. */
  async #close(session: Session): Promise<void> {
    const [isInFlight, isWatched] = [this.#random.chance(0.2), this.#random.chance(0.2)]
    const begun = this.#options.isAsync && isInFlight ? this.#runInFlight(session) : undefined
    const before = begun === undefined && !session.hasTimer ? session.committed : undefined
    this.#log.push('close')
    this.#count++
    const watched = this.#options.isAsync && isWatched ? this.#readers.readCommitted(this.#path) : undefined
    const ends = await Promise.allSettled([begun, session.handle.close(), watched])
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    await session.plain.close()
    this.#session = undefined
    const content = Buffer.from(this.#model.content)
    if (before !== undefined && watched !== undefined) expectEither((await watched)!, before, content)
    if (!readFileSync(this.#plainPath).equals(content)) throw new Error('the plain file does not hold what the model does')
    await this.#readers.checkNew(this.#path, content)
    if (this.#random.chance(0.3)) await this.#readers.checkFollower(this.#path, content)
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code)
}

function expectEither(seen: Buffer, before: Buffer, after: Buffer): void {
  if (seen.equals(before) || seen.equals(after)) return
  throw new Error(
    `a reader saw ${seen.length} bytes, neither the ${before.length} before a commit nor the ${after.length} after it`,
  )
}
