import { existsSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { clearAfterDeath, makeTask, type Job } from '../../src/batch/job.js'
import { hasTime, stampTarget } from '../../src/batch/target-stamp.js'
import { temporaryPlace } from '../../src/file/successor-file.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()

const MTIME_MS = 1_700_000_000_123.456

function makeJob(name: string): Job {
  const common = {
    source: '',
    purpose: 'test',
    size: 0,
    kind: '',
    isWhole: false,
    known: undefined,
    isBlocked: false,
    replaces: undefined,
  }
  return { ...common, target: inFolder(name), mtimeMs: MTIME_MS, begunMs: Date.now(), deaths: 0 }
}

describe('after the death of its worker', () => {
  test('a file that has its place may be made again there, and nothing else is left', async () => {
    const job = makeJob('made')
    const task = makeTask(job)
    const temporary = temporaryPlace(job.target, task.token)
    writeFileSync(temporary, '')
    writeFileSync(job.target, 'made')
    utimesSync(job.target, 1, MTIME_MS / 1_000)
    await clearAfterDeath(job, task)
    expect(job.replaces).toEqual(stampTarget(job.target))
    expect(existsSync(temporary)).toBe(false)
  })

  test('a target that was there before, or has another time, stays', async () => {
    const old = makeJob('old')
    writeFileSync(old.target, 'old')
    utimesSync(old.target, 1, MTIME_MS / 1_000)
    old.begunMs = statSync(old.target).ctimeMs + 1_000
    const other = makeJob('other')
    writeFileSync(other.target, 'other')
    const missing = makeJob('missing')
    for (const job of [old, other, missing]) {
      await clearAfterDeath(job, makeTask(job))
      expect(job.replaces).toBeUndefined()
    }
  })
})

test('a target has the time of its source as well as file systems keep times', () => {
  const has = (mtimeMs: number): boolean => hasTime({ ino: 1, size: 0, mtimeMs }, MTIME_MS)
  for (const time of [MTIME_MS, 1_700_000_000_120, 1_700_000_000_000]) expect(has(time)).toBe(true)
  for (const time of [MTIME_MS + 0.1, 1_700_000_000_123, 1_700_000_001_000, 1_699_999_998_000, 0]) expect(has(time)).toBe(false)
  const path = join(dirname(inFolder('x')), 'times')
  writeFileSync(path, '')
  for (let time = 1_600_000_000_000.123; time < 1_600_000_000_001; time += 0.01) {
    utimesSync(path, 1, time / 1_000)
    expect(hasTime(stampTarget(path)!, time)).toBe(true)
  }
})
