import type { PlacedKeySlot } from '../../container/key-slots.js'
import { ClosedError } from '../../errors.js'
import type { KeyHeader } from '../../file/key-header.js'
import { checkRotatingKeys, checkSlot, isOf, prepareKeys, type RotatingKeys } from './rotating-keys.js'
import { lookAt, resolveTreeOptions, workThrough, type FileFailure, type Roots, type TreeOptions } from './work-through.js'

/** Files that have something in common. */
export interface FoundUse {
  readonly count: number
  /** One of them. */
  readonly path: string | Buffer
}

/** Which generations of a keyring files need. */
export interface GenerationsReport {
  /** By generation, in ascending order. A file in the middle of being rewrapped needs two. */
  readonly generations: ReadonlyMap<number, FoundUse>
  /** Files that were looked at. */
  readonly files: number
  /** Files that say that they belong to another keyring: nobody without its keys can tell whether that is true. */
  readonly foreign: FoundUse | undefined
  /** Files that sealfile did not write, and empty ones. */
  readonly notEncrypted: number
  /** What could not be read or checked, and may need any generation. */
  readonly failures: readonly FileFailure[]
}

/** How to look for generations. */
export type FindGenerationsOptions = TreeOptions<'own' | 'foreign' | 'notEncrypted'>

const CONCURRENCY = 16

/**
 * Tells which generations of the master key the files that are found still need. Reads their headers alone, and believes none that this
 * keyring did not make. What is being written at this moment, and what a process will write that has the keyring open since before a
 * rotation, it cannot see.
 */
export async function findGenerations(
  keys: RotatingKeys,
  roots: Roots,
  options: FindGenerationsOptions = {},
): Promise<GenerationsReport> {
  checkRotatingKeys('keys', keys)
  const generations = new Map<number, FoundUse>()
  const others = new Map<'foreign', FoundUse>()
  const control = resolveTreeOptions(options, CONCURRENCY)
  const prepare = (): Promise<void> => prepareKeys(keys)
  const look = async (path: string | Buffer): Promise<'own' | 'foreign' | 'notEncrypted'> => {
    const seen = await lookAt(path)
    if (seen === undefined) return 'notEncrypted'
    const { header } = seen
    const { live, other } = header
    // Until the disk has the slot that counts, a power cut can bring the other one back.
    const needed = new Set<number>()
    if (other !== undefined && isGenuine(keys, header, other)) needed.add(other.content.generation)
    try {
      if (!isOf(keys, live)) {
        add(others, 'foreign', path)
        return 'foreign'
      }
      checkSlot(keys, header, live)
      needed.add(live.content.generation)
      return 'own'
    } finally {
      for (const generation of needed) add(generations, generation, path)
    }
  }
  const report = await workThrough(roots, ['own', 'foreign', 'notEncrypted'], control, look, prepare)
  const { files, notEncrypted, failures } = report
  const inOrder = new Map([...generations].sort(([a], [b]) => a - b))
  return { generations: inOrder, files, foreign: others.get('foreign'), notEncrypted, failures }
}

function isGenuine(keys: RotatingKeys, header: KeyHeader, slot: PlacedKeySlot): boolean {
  if (!isOf(keys, slot)) return false
  try {
    checkSlot(keys, header, slot)
    return true
  } catch (error) {
    if (error instanceof ClosedError) throw error
    return false // what matters is whether something can be said of the slot that counts
  }
}

function add<K>(uses: Map<K, FoundUse>, key: K, path: string | Buffer): void {
  const { count, path: first } = uses.get(key) ?? { count: 0, path }
  uses.set(key, { count: count + 1, path: first })
}
