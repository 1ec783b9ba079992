import { nodeDisk } from '../../src/file/io/node-disk.js'
import type { Disk, DiskCalls } from '../../src/file/io/steps.js'

/** node:fs, of whose calls one fails, or some from it on; and the names of all calls so far. */
export interface FailingDisk {
  readonly disk: Disk
  readonly calls: string[]
}

/**
 * @param from - The first call that fails, counted from 0.
 * @param until - The first that does not fail again; a process that was killed makes no more.
 */
export function failingDisk(from: number, code: string, until = Infinity): FailingDisk {
  const calls: string[] = []
  const countOrFail = (name: string): void => {
    const index = calls.length
    calls.push(name)
    if (index >= from && index < until) throw Object.assign(new Error(`${code}: ${name}`), { code, syscall: name })
  }
  const entries = Object.entries(nodeDisk.sync) as [string, (...args: never[]) => unknown][]
  const wrap =
    ([name, call]: (typeof entries)[number]): ((...args: never[]) => unknown) =>
    (...args) => {
      countOrFail(name)
      return call(...args)
    }
  const sync = Object.fromEntries(entries.map((entry) => [entry[0], wrap(entry)]))
  const async = Object.fromEntries(
    // eslint-disable-next-line @typescript-eslint/require-await -- what is thrown becomes a rejection
    entries.map((entry) => [entry[0], async (...args: never[]) => wrap(entry)(...args)]),
  )
  return { disk: { sync: sync as unknown as DiskCalls, async: async as unknown as Disk['async'] }, calls }
}
