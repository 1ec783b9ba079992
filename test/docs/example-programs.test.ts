import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { KeyManager } from '../../src/index.js'
import { installPackage } from '../support/installed-package.js'
import { Program } from '../support/program.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { readDocument } from './markdown.js'

/** Each program of docs/examples is run as its README says, against the built package. */

const EXAMPLES = fileURLToPath(new URL('../../docs/examples/', import.meta.url))
const PACKAGES = ['pino', 'express', '@orama/orama', '@orama/plugin-data-persistence']
const PASSPHRASE = 'correct horse battery staple'

const inFolder = temporaryFolder()
const programs: Program[] = []
let cwd: string
/** There before: programs that start at once do not race to make it. */
const KEYRING = inFolder('keyring.json')
const CHEAP = { memoryKiB: 1_024, passes: 1, lanes: 1 }

beforeAll(async () => {
  installPackage(inFolder('app'), PACKAGES)
  cpSync(EXAMPLES, inFolder('app/examples'), { recursive: true })
  ;(await KeyManager.create(KEYRING, { passphrase: PASSPHRASE, argon2: CHEAP })).close()
}, 120_000)
beforeEach(({ task }) => mkdirSync((cwd = inFolder(task.id)), { recursive: true }))
afterEach(async () => {
  for (const program of programs.splice(0)) {
    program.process.kill('SIGKILL')
    await program.ended
  }
})

function start(example: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Program {
  const script = inFolder(`app/examples/${example}/main.mjs`)
  const program = new Program(script, args, { cwd, env: { NODE_ENV: 'production', PASSPHRASE, KEYRING, ...env } })
  programs.push(program)
  return program
}

async function run(example: string, args: readonly string[] = []): Promise<Program> {
  const program = start(example, args)
  expect(await program.ended, program.errors).toBe(0)
  return program
}

/** Everything that lies in the folder. */
const onDisk = (): string =>
  readdirSync(cwd, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('')

function flip(name: string, position: number): void {
  const bytes = readFileSync(join(cwd, name))
  bytes[position]! ^= 1
  writeFileSync(join(cwd, name), bytes)
}

test('each example has its line in the README, and its tests here', () => {
  const named = [...readDocument('docs/examples/README.md').matchAll(/^\| `node docs\/examples\/([\w-]+)\/main\.mjs`/gm)]
  const folders = readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(named.map(([, name]) => name).sort()).toEqual(folders.map(({ name }) => name).sort())
  expect(folders.map(({ name }) => name).sort()).toEqual(['config', 'http-range', 'logs', 'vector-index'])
})

test('a keyring is made the first time, and the right passphrase needed from then on', async () => {
  const own = { KEYRING: 'keyring.json' }
  const without = start('config', [], { ...own, PASSPHRASE: '' })
  expect(await without.ended).toBe(1)
  expect(without.errors).toBe('Error: set PASSPHRASE, which opens the keyring\n')
  const first = start('config', ['set', 'port', '1'], own)
  expect(await first.ended).toBe(0)
  expect(first.errors).toMatch(/^made keyring\.json/)
  const wrong = start('config', ['set', 'port', '2'], { ...own, PASSPHRASE: 'another' })
  expect(await wrong.ended).toBe(1)
  expect(wrong.errors).toMatch(/^ERR_SEALFILE_WRONG_KEY: /)
})

describe('config', () => {
  test('is read again when it was changed, and keeps what it has when the file is damaged', async () => {
    const service = start('config')
    expect(await service.line('started')).toBe('started: {"port":8080}')
    await run('config', ['set', 'token', '"s3cret"'])
    expect(await service.line('changed')).toBe('changed: {"port":8080,"token":"s3cret"}')
    expect(onDisk()).not.toContain('s3cret')

    const good = readFileSync(join(cwd, 'app.config'))
    flip('app.config', good.length - 1)
    await service.line('kept what was read before: ')
    expect(service.lines).toHaveLength(2)
    writeFileSync(join(cwd, 'app.config'), good)
    await run('config', ['set', 'port', '9090'])
    await service.line('changed: {"port":9090')
    service.process.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  })

  test('takes changes of several programs at once', async () => {
    await run('config', ['set', 'port', '1'])
    const names = ['a', 'b', 'c', 'd']
    await Promise.all(names.map((name) => run('config', ['set', name, 'true'])))
    const service = start('config')
    const line = await service.line('started: ')
    expect(JSON.parse(line.slice('started: '.length))).toEqual({ port: 1, a: true, b: true, c: true, d: true })
  })

  test('is not changed by what is no JSON', async () => {
    await run('config', ['set', 'port', '1'])
    const refused = start('config', ['set', 'port', 'nine'])
    expect(await refused.ended).toBe(1)
    expect(readdirSync(cwd).sort()).toEqual(['app.config'])
  })
})

describe('logs', () => {
  const numbersOf = (lines: readonly string[]): number[] => lines.map((line) => (JSON.parse(line) as { number: number }).number)
  const count = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

  test('go into numbered files of which the last five are kept', async () => {
    await run('logs', ['write', '3000'])
    const files = readdirSync(join(cwd, 'logs')).sort()
    expect(files).toEqual([3, 4, 5, 6, 7].map((number) => `app-00000${number}.log`))
    const numbers = numbersOf((await run('logs', ['read'])).lines)
    expect(numbers.length).toBeGreaterThan(1_500)
    expect(numbers).toEqual(count(numbers[0]!, 3_000))
    expect(onDisk()).not.toContain('payment')
  })

  test('are followed from file to file', async () => {
    await run('logs', ['write', '1'])
    const follower = start('logs', ['follow'])
    await follower.line('{')
    for (let i = 0; i < 3; i++) await run('logs', ['write', '500'])
    await follower.lineCount(1_501)
    expect(numbersOf(follower.lines)).toEqual([1, ...count(1, 500), ...count(1, 500), ...count(1, 500)])
    expect(readdirSync(join(cwd, 'logs')).length).toBeGreaterThan(2)
    follower.process.kill('SIGINT')
    expect(await follower.ended).toBe(0)
  })

  test('of a service that is killed are whole lines, and the next one goes on', async () => {
    const service = start('logs')
    const follower = start('logs', ['follow'])
    await follower.lineCount(5)
    service.process.kill('SIGKILL')
    await service.ended
    await run('logs', ['write', '2'])
    const numbers = numbersOf((await run('logs', ['read'])).lines)
    expect(numbers.slice(0, 5)).toEqual([1, 2, 3, 4, 5])
    expect(numbers.slice(0, -2)).toEqual(count(1, numbers.length - 2))
    expect(numbers.slice(-2)).toEqual([1, 2])
  })

  test('have one writer', async () => {
    const service = start('logs')
    const follower = start('logs', ['follow'])
    await follower.line('{')
    const second = start('logs', ['write', '1'])
    expect(await second.ended).toBe(1)
    expect(second.errors).toMatch(/^ERR_SEALFILE_LOCKED: /)
    service.process.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  })
})

describe('vector-index', () => {
  test('is made, encrypted, and searched again from the disk', async () => {
    const first = await run('vector-index', ['apples', 'in', 'the', 'garden'])
    expect(first.errors).toContain('made notes.index of 10 notes')
    expect(first.lines[0]).toMatch(/^0\.\d\d Mother's recipe: /)
    const again = await run('vector-index', ['apples', 'in', 'the', 'garden'])
    expect(again.errors).toBe('')
    expect(again.lines).toEqual(first.lines)
    expect((await run('vector-index', ['return', 'train', 'tickets'])).lines[0]).toMatch(/^0\.\d\d Train tickets can be returned/)
    expect(onDisk()).not.toMatch(/recipe|train|embedding/)
  })

  test('is refused when it was altered', async () => {
    await run('vector-index')
    flip('notes.index', 2_000)
    const program = start('vector-index')
    expect(await program.ended).toBe(1)
    expect(program.errors).toMatch(/^ERR_SEALFILE_CORRUPTED: /)
  })
})

describe('http-range', () => {
  const CONTENT = Buffer.alloc(1_000_000, 'all work and no play ')
  let url: string
  let server: Program

  beforeEach(async () => {
    server = start('http-range', [], { PORT: '0' })
    url = `${await server.line('http://')}report.txt`
    expect((await fetch(url, { method: 'PUT', body: CONTENT })).status).toBe(204)
  })

  const ask = (range: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(url, { headers: { range, ...headers } })
  const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer())

  test('gives files whole', async () => {
    const response = await fetch(url)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(response.headers.get('accept-ranges')).toBe('bytes')
    expect((await bytesOf(response)).equals(CONTENT)).toBe(true)
    expect(onDisk()).not.toContain('no play')
    server.process.kill('SIGTERM')
    expect(await server.ended).toBe(0)
    expect(server.errors).not.toContain('Error')
  })

  test('gives ranges', async () => {
    const ranges: readonly [string, number, number][] = [
      ['bytes=0-0', 0, 1],
      ['bytes=500000-500009', 500_000, 500_010],
      ['bytes=999990-', 999_990, 1_000_000],
      ['bytes=999990-2000000', 999_990, 1_000_000],
      ['bytes=-5', 999_995, 1_000_000],
    ]
    for (const [range, start, end] of ranges) {
      const response = await ask(range)
      expect(response.status).toBe(206)
      expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/1000000`)
      expect(response.headers.get('content-length')).toBe(String(end - start))
      expect(await bytesOf(response)).toEqual(CONTENT.subarray(start, end))
    }
  })

  test('says where a range is outside, and gives all where it is none or several', async () => {
    const outside = await ask('bytes=1000000-')
    expect(outside.status).toBe(416)
    expect(outside.headers.get('content-range')).toBe('bytes */1000000')
    for (const range of ['bytes=9-1', 'lines=1-2', 'bytes=0-1,5-6']) {
      const response = await ask(range)
      expect([range, response.status === 206]).toEqual([range, false])
    }
  })

  test('answers HEAD without content', async () => {
    const response = await fetch(url, { method: 'HEAD', headers: { range: 'bytes=10-19' } })
    expect(response.status).toBe(206)
    expect(response.headers.get('content-length')).toBe('10')
    expect(await bytesOf(response)).toHaveLength(0)
  })

  test('knows versions', async () => {
    const etag = (await fetch(url)).headers.get('etag')!
    expect((await fetch(url, { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).status).toBe(304)
    expect((await ask('bytes=0-9', { 'if-range': etag })).status).toBe(206)
    await fetch(url, { method: 'PUT', body: CONTENT })
    expect((await fetch(url, { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).status).toBe(200)
    const changed = await ask('bytes=0-9', { 'if-range': etag })
    expect(changed.status).toBe(200)
    expect(await bytesOf(changed)).toHaveLength(CONTENT.length)
  })

  test('reads the segments of a range and no others, and breaks off where one is damaged', async () => {
    flip('files/report.txt', 700_000)
    expect((await ask('bytes=0-9')).status).toBe(206)
    expect(await bytesOf(await ask('bytes=900000-900009'))).toEqual(CONTENT.subarray(900_000, 900_010))
    await expect(ask('bytes=600000-800000').then(bytesOf)).rejects.toThrow()
    await expect(fetch(url).then(bytesOf)).rejects.toThrow()
    await server.line('CorruptedFileError')
  })

  test('answers others while clients go away in the middle', async () => {
    const cut = (): Promise<void> =>
      new Promise((resolve, reject) => {
        get(url, (response: IncomingMessage) => {
          response.once('data', () => response.destroy())
          response.once('close', resolve)
        }).on('error', reject)
      })
    for (let i = 0; i < 20; i++) await cut()
    expect((await ask('bytes=0-9')).status).toBe(206)
    expect(server.errors).not.toContain('Error')
  })

  test('gives an empty file', async () => {
    await fetch(url, { method: 'PUT' })
    const response = await fetch(url)
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '0'])
    expect((await ask('bytes=0-')).status).toBe(416)
  })

  test('keeps the old file where an upload is broken off', async () => {
    const abort = new AbortController()
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new Uint8Array(100_000))
      },
      pull: () => abort.abort(),
    })
    const sent = fetch(url, { method: 'PUT', body, signal: abort.signal, duplex: 'half' })
    await expect(sent).rejects.toThrow()
    expect((await bytesOf(await fetch(url))).equals(CONTENT)).toBe(true)
  })

  test('keeps to its folder, and names to their files', async () => {
    for (const name of ['none.txt', '..%2Fkeyring.json', '.hidden', 'report.txt.sealfile-lock', '%00']) {
      expect([name, (await fetch(new URL(name, url))).status]).toEqual([name, 404])
    }
    cpSync(join(cwd, 'files/report.txt'), join(cwd, 'files/other.txt'))
    expect((await fetch(new URL('other.txt', url))).status).toBe(500)
    await server.line('GET /files/other.txt: ')
  })
})
