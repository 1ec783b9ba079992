import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { EncryptedFile } from '../../src/file/encrypted-file.js'
import type { EncryptedFileSync } from '../../src/file/encrypted-file-sync.js'
import type { OpenOptions } from '../../src/file/options.js'
import { KeyManager } from '../../src/keys/key-manager.js'
import { SeededRandom } from '../support/seeded-random.js'

const OPERATIONS = process.env['SLOW'] === '1' ? 200_000 : 20_000
const SEQUENCE_LENGTH = 250
/** Sequences whose handles wait come after those whose do not. */
const ASYNC_FROM = 1_000_000

const keyManager = KeyManager.fromKey(new Uint8Array(32).fill(0x33))
let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sealfile-model-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** What a sequence needs of either kind of handle. */
type Handle = Pick<EncryptedFile | EncryptedFileSync, 'close' | 'sync' | 'stat'> & {
  write(data: Buffer, offset: number, length: number, position: number | null): unknown
  append(data: Buffer): unknown
}

class Sequence {
  readonly #random: SeededRandom
  readonly #path: string
  readonly #isAsync: boolean
  readonly #segmentSize: number
  /** What the file should hold. */
  #content: Buffer = Buffer.alloc(0)
  #cursor = 0
  #writer: { readonly handle: Handle; readonly appends: boolean } | undefined
  /** What was done, for a message. */
  readonly log: string[] = []

  constructor(seed: number, path: string) {
    this.#random = new SeededRandom(seed)
    this.#path = path
    this.#isAsync = seed >= ASYNC_FROM
    this.#segmentSize = this.#random.pick([4_096, 8_192])
  }

  async run(length: number): Promise<void> {
    for (let i = 0; i < length; i++) await this.#step()
    await this.#close()
    await this.#compare()
  }

  async #step(): Promise<void> {
    if (this.#writer === undefined) {
      await this.#open(this.log.length === 0 || this.#random.chance(0.1) ? 'w' : 'a')
      return
    }
    const kind = this.#random.next()
    if (kind < 0.35) await this.#append()
    else if (kind < 0.8) await this.#write()
    else if (kind < 0.84) await this.#checkSize()
    else if (kind < 0.93) await this.#sync()
    else if (kind < 0.94) await this.#letCommit()
    else {
      await this.#close()
      if (this.#random.chance(0.6)) await this.#compare()
    }
  }

  async #open(flags: 'w' | 'a'): Promise<void> {
    this.log.push(`open ${flags}`)
    const options: OpenOptions = {
      keyManager,
      purpose: 'model',
      segmentSize: this.#segmentSize,
      commitInterval: this.#random.int(1, 5),
    }
    const spelling = this.#random.chance(0.2) ? `${flags}b` : flags
    const handle: Handle = this.#isAsync
      ? await EncryptedFile.open(this.#path, spelling, options)
      : EncryptedFile.openSync(this.#path, spelling, options)
    this.#writer = { handle, appends: flags === 'a' }
    if (flags === 'w') this.#content = Buffer.alloc(0)
    this.#cursor = 0
  }

  #size(): number {
    const kind = this.#random.next()
    if (kind < 0.7) return this.#random.int(0, 400)
    return kind < 0.95 ? this.#random.int(400, 9_000) : this.#random.int(9_000, 60_000)
  }

  async #append(): Promise<void> {
    const data = this.#random.bytes(this.#size())
    this.log.push(`append ${data.length}`)
    await this.#writer!.handle.append(data)
    this.#put(data, this.#content.length)
    this.#cursor = this.#content.length
  }

  async #write(): Promise<void> {
    const { handle, appends } = this.#writer!
    const data = this.#random.bytes(this.#size())
    const { length } = this.#content
    // Where a file would become large, its gaps become rare.
    const isGap = this.#random.chance(length > 300_000 ? 0.01 : 0.1)
    const position = this.#random.chance(0.4) ? null : this.#random.int(0, isGap ? length + 20_000 : length)
    this.log.push(`write ${data.length} at ${position}`)
    await handle.write(data, 0, data.length, position)
    const start = appends ? length : (position ?? this.#cursor)
    // A write of nothing makes no gap.
    if (data.length > 0 || start <= length) this.#put(data, start)
    if (position === null || appends) this.#cursor = start + data.length
  }

  #put(data: Buffer, position: number): void {
    const grown = Math.max(this.#content.length, position + data.length)
    if (grown > this.#content.length) this.#content = Buffer.concat([this.#content], grown)
    data.copy(this.#content, position)
  }

  async #checkSize(): Promise<void> {
    this.log.push('stat')
    expect((await this.#writer!.handle.stat()).size).toBe(this.#content.length)
  }

  async #sync(): Promise<void> {
    this.log.push('sync')
    await this.#writer!.handle.sync()
    if (this.#random.chance(0.15)) await this.#compare()
  }

  /** Waits until the timer has committed: what was appended last may wait for its second time. */
  async #letCommit(): Promise<void> {
    this.log.push('wait')
    await vi.waitFor(
      () => {
        const file = EncryptedFile.openSync(this.#path, 'r', { keyManager, purpose: 'model' })
        try {
          expect(file.readFile().equals(this.#content), `${this.#content.length} bytes`).toBe(true)
        } finally {
          file.close()
        }
      },
      { timeout: 5_000, interval: 5 },
    )
  }

  async #close(): Promise<void> {
    if (this.#writer === undefined) return
    this.log.push('close')
    await this.#writer.handle.close()
    this.#writer = undefined
  }

  /** Another handle reads what the model holds. */
  async #compare(): Promise<void> {
    this.log.push('read')
    const options: OpenOptions = { keyManager, purpose: 'model' }
    const file = await EncryptedFile.open(this.#path, 'r', options)
    const twin = EncryptedFile.openSync(this.#path, 'r', options)
    try {
      const { length } = this.#content
      expect((await file.readFile()).equals(this.#content), `${length} bytes`).toBe(true)
      for (let i = 0; i < 4; i++) {
        const position = this.#random.int(0, length + 10)
        const buffer = Buffer.alloc(this.#random.int(1, 12_000))
        const expected = this.#content.subarray(position, position + buffer.length)
        const read = i % 2 === 0 ? twin.read(buffer, 0, buffer.length, position) : (await file.read({ buffer, position })).bytesRead
        expect(read).toBe(expected.length)
        expect(buffer.subarray(0, read).equals(expected), `${read} bytes at ${position}`).toBe(true)
      }
    } finally {
      twin.close()
      await file.close()
    }
  }
}

/** `MODEL_SEED=n` replays one. */
async function runSequences(first: number, operations: number): Promise<void> {
  const given = process.env['MODEL_SEED']
  const count = given === undefined ? operations / SEQUENCE_LENGTH : 1
  for (let seed = given === undefined ? first : Number(given), end = seed + count; seed < end; seed++) {
    const sequence = new Sequence(seed, join(directory, `${seed}.enc`))
    try {
      await sequence.run(SEQUENCE_LENGTH)
    } catch (error) {
      throw new Error(`MODEL_SEED=${seed}: ${String(error)}\n${sequence.log.join('\n')}`, { cause: error })
    }
  }
}

test('any sequence of operations on a handle that does not wait', () => runSequences(1, OPERATIONS / 2), 600_000)

test('any sequence of operations on a handle that waits', () => runSequences(ASYNC_FROM, OPERATIONS / 2), 600_000)
