import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MasterKey } from '../src/keys/master-key.js'
import { rewrap } from '../src/keys/rotation/rewrap.js'
import type { RotatingKeys } from '../src/keys/rotation/rotating-keys.js'
import { assert, compare, EncryptedFile, pathOf, type Contender } from './harness.js'

/** Rewrapping many small files, beside the least that keeps the same promise: write, wait for the disk, write, and no more. */

const PURPOSE = 'bench'
const SLOT = Buffer.alloc(96, 1)
const PARALLEL = 16

/** A keyring that is rotated whenever it is asked to be. */
class RotatedKeys implements RotatingKeys {
  readonly id = new Uint8Array(16).fill(1)
  generation = 0
  readonly #masterKeys: MasterKey[] = []

  rotate(): void {
    this.generation = this.#masterKeys.length + 1
    const key = new Uint8Array(32).fill(this.generation)
    this.#masterKeys.push(new MasterKey(key, { keyringId: this.id, generation: this.generation }))
  }

  wrapFileKey: RotatingKeys['wrapFileKey'] = (request, dek) => this.#masterKeys[this.generation - 1]!.wrap(request, dek)
  unwrapFileKey: RotatingKeys['unwrapFileKey'] = (request, wrapped) =>
    this.#masterKeys[wrapped.generation - 1]!.unwrap(request, wrapped)
}

/** Writes 96 bytes, waits for the disk and writes 96 more, in every file of a folder. */
async function writeSlots(folder: string): Promise<void> {
  const names = await readdir(folder)
  const work = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const file = await open(join(folder, name), 'r+')
      await file.write(SLOT, 0, SLOT.length, 192)
      await file.datasync()
      await file.write(SLOT, 0, SLOT.length, 96)
      await file.close()
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
}

const PER_SECOND = 2_000

/** @param count - Files of 1 KiB. */
export async function benchRewrap(rounds: number, count: number): Promise<void> {
  const keys = new RotatedKeys()
  keys.rotate()
  const [encrypted, plain] = [pathOf('rewrap-encrypted'), pathOf('rewrap-plain')]
  const content = Buffer.alloc(1_024, 'content ')
  const options = { keyManager: keys, purpose: PURPOSE, atomic: false }
  for (const folder of [encrypted, plain]) await mkdir(folder)
  for (let i = 0; i < count; i++) {
    EncryptedFile.writeFileSync(join(encrypted, `${i}`), content, options)
    EncryptedFile.writeFileSync(join(plain, `${i}`), content, options)
  }
  const ours: Contender = {
    name: 'rewrap',
    async run() {
      keys.rotate()
      const { rewrapped, failures } = await rewrap(keys, encrypted, { purpose: PURPOSE })
      assert(rewrapped === count && failures.length === 0, `${rewrapped} of ${count} files were rewrapped`)
    },
  }
  const bare: Contender = { name: 'open, write, datasync, write, close', run: () => writeSlots(plain) }
  // The promise is a rate, not a ratio: the baseline takes as long as that rate allows.
  const promised: Contender = {
    name: `${PER_SECOND} a second`,
    run: () => new Promise((resolve) => setTimeout(resolve, (count / PER_SECOND) * 1_000)),
  }
  await compare(`rewrap ${count} files`, ours, promised, 1, rounds)
  // Nothing is promised of this one.
  await compare(`rewrap ${count} files beside bare calls`, ours, bare, 0, rounds)
  const { generation } = await EncryptedFile.inspect(join(encrypted, '0'))
  assert(generation === keys.generation, 'the files have an older generation')
  const found = await EncryptedFile.readFile(join(encrypted, `${count - 1}`), { keyManager: keys, purpose: PURPOSE })
  assert(found.equals(content), 'other bytes come back')
  for (const folder of [encrypted, plain]) await rm(folder, { recursive: true })
}
