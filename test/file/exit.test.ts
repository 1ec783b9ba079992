import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundleLibrary } from '../support/bundled-library.js'
import { FreshnessFile } from '../../src/index.js'
import { KEY, OPTIONS, PURPOSE, readEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const locksBeside = (path: string): string[] =>
  readdirSync(inFolder('.')).filter((name) => name.startsWith(`${basename(path)}.sealfile-lock`))
let run: Awaited<ReturnType<typeof bundleLibrary>>

beforeAll(async () => {
  run = await bundleLibrary()
})

/** What the scripts begin with: `open` and `openSync` of the file whose path is the first argument. */
const PRELUDE = `
const keyManager = sealfile.KeyManager.fromKey(Buffer.from('${Buffer.from(KEY).toString('hex')}', 'hex'))
const options = { keyManager, purpose: '${PURPOSE}', segmentSize: 4_096, commitInterval: 2 ** 31 - 1 }
const path = process.argv[1]
const open = (flags = 'w') => sealfile.EncryptedFile.open(path, flags, options)
const openSync = (flags = 'w') => sealfile.EncryptedFile.openSync(path, flags, options)
`

let count = 0

/** Runs a script in a process of its own. */
function runScript(script: string): { readonly path: string; readonly status: number | null; readonly stderr: string } {
  const path = inFolder(`file-${count++}`)
  const { status, stderr } = run(PRELUDE + script, path)
  return { path, status, stderr }
}

describe('a process that exits without closing leaves what was written, and no lock', () => {
  test.each<[string, string, number]>([
    ['at the end of its work', `const file = await open(); await file.write('text')`, 0],
    ['by process.exit', `const file = await open(); await file.write('text'); process.exit(3)`, 3],
    ['by process.exit, with a call still going on', `const file = await open(); void file.write('text'); process.exit(3)`, 3],
    [
      'by process.exit, with many calls waiting',
      `const file = await open(); for (const c of 'text') void file.write(c); process.exit(3)`,
      3,
    ],
    ['by an error that nobody catches', `const file = await open(); await file.write('text'); throw new Error('no')`, 1],
    [
      'by a rejection that nobody handles',
      `const file = await open(); await file.write('text'); void Promise.reject(new Error('no')); await new Promise((resolve) => setTimeout(resolve, 1_000))`,
      1,
    ],
    ['with a handle that does not wait', `openSync().write('text')`, 0],
    ['with a handle that does not wait, by process.exit', `openSync().write('text'); process.exit(3)`, 3],
    ['with a handle that does not wait, by an error', `openSync().write('text'); throw new Error('no')`, 1],
    ['while it closes', `const file = await open(); void file.write('text'); void file.close(); process.exit(3)`, 3],
    ['after a commit', `const file = await open(); await file.write('te'); await file.sync(); await file.write('xt')`, 0],
  ])('%s', (_, script, expected) => {
    const { path, status, stderr } = runScript(script)
    expect(status, stderr).toBe(expected)
    expect(readEncrypted(path).toString()).toBe('text')
    expect(locksBeside(path)).toEqual([])
  })

  test('while it syncs: the lock of the dead process is left, and taken over', () => {
    const { path, status, stderr } = runScript(
      `const file = await open(); await file.write('te'); void file.sync(); process.exit(3)`,
    )
    expect(status, stderr).toBe(3)
    const next = run(`${PRELUDE} const file = await open('a'); await file.write('xt'); await file.close()`, path)
    expect(next.status, next.stderr).toBe(0)
    expect(readEncrypted(path).toString()).toBe('text')
    expect(locksBeside(path)).toEqual([])
  })

  test('from many handles at once, async and sync', () => {
    const { path, status, stderr } = runScript(`
      for (let i = 0; i < 5; i++) {
        const file = await sealfile.EncryptedFile.open(path + '-async-' + i, 'w', options)
        void file.write('text ' + i)
        sealfile.EncryptedFile.openSync(path + '-sync-' + i, 'w', options).write('text ' + i)
      }
      process.exit(0)
    `)
    expect(status, stderr).toBe(0)
    for (let i = 0; i < 5; i++) {
      for (const kind of ['async', 'sync']) expect(readEncrypted(`${path}-${kind}-${i}`).toString()).toBe(`text ${i}`)
    }
  })

  test('also what a listener of its exit writes', () => {
    const { path, status, stderr } = runScript(`
      const file = openSync()
      file.write('te')
      process.on('exit', () => file.write('xt'))
      process.exit(0)
    `)
    expect(status, stderr).toBe(0)
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test('but the locks where a listener comes that may write', () => {
    const { path, status, stderr } = runScript(`
      import { readlinkSync } from 'node:fs'
      openSync().write('text')
      process.on('exit', () => { process.exitCode = readlinkSync(path + '.sealfile-lock') === '' ? 8 : 7 })
    `)
    expect(status, stderr).toBe(7)
    const next = run(`${PRELUDE} const file = await open('a'); await file.write('!'); await file.close()`, path)
    expect(next.status, next.stderr).toBe(0)
    expect(readEncrypted(path).toString()).toBe('text!')
    expect(locksBeside(path)).toEqual([])
  })

  test('and a FreshnessFile is told of that before its own lock goes', () => {
    const { path, status, stderr } = runScript(`
      import { readlinkSync } from 'node:fs'
      const kept = sealfile.FreshnessFile.open(path + '-kept', options)
      const remember = (name, state) => {
        process.exitCode = readlinkSync(path + '-kept.sealfile-lock') === '' ? 8 : 7
        kept.remember(name, state)
      }
      const freshness = { recall: (name) => kept.recall(name), remember }
      sealfile.EncryptedFile.openSync(path, 'w', { ...options, freshness }).write('text')
      process.exit()
    `)
    expect(status, stderr).toBe(7)
    using freshness = FreshnessFile.open(`${path}-kept`, OPTIONS)
    expect(freshness.recall(path)).toBeDefined()
    expect(locksBeside(path)).toEqual([])
  })

  test('also where one of the handles fails', () => {
    const { path, status, stderr } = runScript(`
      const broken = await sealfile.EncryptedFile.open(path + '-broken', 'w', options)
      await broken.write('x')
      const { closeSync, openSync: openPlain } = await import('node:fs')
      const { fd } = broken
      closeSync(fd)
      while (openPlain('/dev/null', 'r') !== fd); // nobody else gets that number
      const file = await open()
      await file.write('text')
      process.exit(0)
    `)
    expect(status, stderr).toBe(0)
    expect(readEncrypted(path).toString()).toBe('text')
  })
})

describe('an open handle', () => {
  test('does not keep a process alive', () => {
    const { path, status, stderr } = runScript(`
      options.commitInterval = 60_000
      const file = await open()
      await file.write('text')
    `)
    expect(status, stderr).toBe(0)
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test('of a process that was killed is committed but for the last moment, and its lock is taken over', () => {
    const { path, status } = runScript(`
      options.commitInterval = 1
      const file = await open()
      await file.write('text')
      await new Promise((resolve) => setTimeout(resolve, 50))
      await file.sync()
      await file.write(' that is lost')
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => undefined)
    `)
    expect(status).toBe(null)
    expect(readEncrypted(path).toString()).toMatch(/^text( that is lost)?$/)
    const next = run(`${PRELUDE}const file = await open('a'); await file.write('!'); await file.close()`, path)
    expect(next.status, next.stderr).toBe(0)
    expect(readEncrypted(path).toString()).toMatch(/^text( that is lost)?!$/)
    expect(locksBeside(path)).toEqual([])
  })
})

describe('a handle that was never closed', () => {
  const WARNING =
    /\(node:\d+\) \[SEALFILE_NOT_CLOSED\] SealfileWarning: the file '.*' was never closed(.*): (.*)\. Close every handle/g
  const warningsOf = (stderr: string): string[][] => [...stderr.matchAll(WARNING)].map(([, others, outcome]) => [others!, outcome!])

  test.each([
    ['at the end of the work', `const file = await open(); await file.write('text')`, ''],
    ['by process.exit', `const file = await open(); await file.write('text'); process.exit(0)`, ''],
    ['by an error', `const file = await open(); await file.write('text'); throw new Error('no')`, ''],
    ['of the kind that does not wait', `openSync().write('text')`, ''],
    [
      'like others',
      `for (let i = 0; i < 3; i++) sealfile.EncryptedFile.openSync(path + i, 'w', options).write('x'); openSync().write('text')`,
      ', and 3 more were not',
    ],
  ])('is warned about once, %s', (_, script, others) => {
    const { path, stderr } = runScript(script)
    expect(warningsOf(stderr), stderr).toEqual([[others, 'what was written to it is committed']])
    expect(readEncrypted(path).toString()).toBe('text')
  })

  test('and was to replace a file is dropped', () => {
    const { stderr } = runScript(`options.atomic = true; const file = await open(); await file.write('text')`)
    expect(warningsOf(stderr), stderr).toEqual([['', 'what was written to it is dropped']])
  })

  test.each([
    ['a closed handle', `const file = await open(); await file.write('text'); await file.close()`],
    ['a handle that is being closed', `const file = await open(); void file.write('text'); void file.close(); process.exit(0)`],
    ['a closed handle of the kind that does not wait', `const file = openSync(); file.write('text'); file.close()`],
    ['a reader', `const file = await open(); await file.close(); await open('r')`],
  ])('is not %s', (_, script) => {
    const { stderr } = runScript(script)
    expect(stderr).toBe('')
  })

  test.each([
    ['with waiting', `await open('r+')`, `await file.write('text')`],
    ['without waiting', `openSync('r+')`, `file.write('text')`],
  ])('is closed when nobody can reach it any more, with a warning, %s', (_, opening, writing) => {
    const { path, stderr, status } = runScript(`
      import { setFlagsFromString } from 'node:v8'
      import { runInNewContext } from 'node:vm'
      import { existsSync, readdirSync, readlinkSync } from 'node:fs'
      setFlagsFromString('--expose-gc')
      const gc = runInNewContext('gc')
      const warnings = []
      process.on('warning', (warning) => warnings.push(warning.code))
      await (await open()).close()
      const leadsTo = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd) } catch { return '' } }
      const countOpen = () => readdirSync('/proc/self/fd').filter((fd) => leadsTo(fd) === path).length
      async function forget() {
        const file = ${opening}
        ${writing}
        await open('r')
      }
      await forget()
      if (countOpen() !== 2) throw new Error('nothing was forgotten')
      for (let i = 0; i < 100 && (existsSync(path + '.sealfile-lock') || countOpen() > 0); i++) {
        gc()
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      if (existsSync(path + '.sealfile-lock')) throw new Error('it is still locked')
      if (countOpen() > 0) throw new Error('it is still open')
      if (warnings.join() !== 'SEALFILE_NOT_CLOSED') throw new Error(warnings.join())
    `)
    expect(status, stderr).toBe(0)
    expect(readEncrypted(path).toString()).toBe('text')
  })
})

test('two processes do not write one file at the same time', () => {
  const { path, status, stderr } = runScript(`
    import { spawnSync } from 'node:child_process'
    const file = await open()
    await file.write('text')
    await file.sync()
    const script = process.execArgv.at(-1)
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script.slice(0, script.indexOf('import { spawnSync }')) +
      "try { openSync('a') } catch (error) { process.exitCode = error.code === 'ERR_SEALFILE_LOCKED' ? 7 : 8 }", path])
    await file.write('!')
    await file.close()
    process.exitCode = child.status
  `)
  expect(status, stderr).toBe(7)
  expect(readEncrypted(path).toString()).toBe('text!')
})
