import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Option, type Command } from 'commander'
import type { EncryptedFile as File } from 'sealfile'
import { randomBytes } from '../../bytes/random.js'
import type { Bind, Call } from '../call.js'
import { usageError } from '../command-error.js'
import { addShape, type ShapeOptions } from '../file-options.js'
import { count, formatSize, parseNumber, parseSize } from '../sizes.js'

interface Options extends ShapeOptions {
  readonly size: number
  readonly rounds: number
  readonly folder?: string
}

/** Both kinds of handle, as far as they are needed. */
type Handle = Pick<File, 'close'> & {
  write(data: Uint8Array): Promise<unknown>
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
}

/** MiB a second, the median of the rounds. */
interface Rate {
  readonly what: 'write' | 'read'
  readonly plain: number
  readonly encrypted: number
  /** Encrypted by plain. */
  readonly ratio: number
}

/** Nothing that could be compressed. */
const PIECE = Buffer.from(randomBytes(2 ** 20))

export function addBench(program: Command, bind: Bind): void {
  const command = program
    .command('bench')
    .summary('measure encrypted files beside plain ones')
    .description('Measure encrypted files beside plain ones on this machine: a file is written and read again, round by round.')
    .addOption(new Option('--size <bytes>', 'of the file').argParser(parseSize).default(2 ** 28, '256m'))
    .addOption(new Option('--rounds <n>', 'of which the median counts').argParser(parseNumber).default(5))
    .option('--folder <path>', 'on the disk to measure (default: for temporary files)')
  bind<Options, []>(addShape(command), bench)
}

async function bench(call: Call<Options>): Promise<undefined> {
  const { options, report } = call
  if (options.size === 0 || options.rounds === 0) throw usageError('give one byte or more, and one round or more')
  const { EncryptedFile, KeyManager } = await import('sealfile')
  const keyManager = KeyManager.fromKey(randomBytes(32))
  const folder = await mkdtemp(join(options.folder ?? tmpdir(), 'sealfile-bench-'))
  try {
    const { segmentSize, cipher } = options
    const how = { keyManager, purpose: 'bench', segmentSize, cipher }
    const plain = await measure(call, join(folder, 'plain'), (path, flags) => open(path, flags))
    const encrypted = await measure(call, join(folder, 'encrypted'), (path, flags) => EncryptedFile.open(path, flags, how))
    const rates = (['write', 'read'] as const).map((what): Rate => {
      const [ours, theirs] = [encrypted[what], plain[what]]
      return { what, plain: theirs, encrypted: ours, ratio: ours / theirs }
    })
    const { size, rounds } = options
    await report.result(
      { command: 'bench', size, rounds, segmentSize: segmentSize ?? 65_536, cipher: cipher ?? 'aes-256-gcm', rates },
      [`${formatSize(size)}, median of ${count(rounds, 'round')}, in the page cache`, ...rates.map(describe)],
    )
  } finally {
    keyManager.close()
    await rm(folder, { recursive: true, force: true })
  }
  return undefined
}

function describe({ what, plain, encrypted, ratio }: Rate): string {
  const speed = (rate: number): string => `${rate.toFixed(0).padStart(6)} MiB/s`
  return `${what.padEnd(6)} encrypted ${speed(encrypted)}   plain ${speed(plain)}   ratio ${ratio.toFixed(2)}`
}

async function measure(
  { options, signal }: Call<Options>,
  path: string,
  openFile: (path: string, flags: string) => Promise<Handle>,
): Promise<Record<Rate['what'], number>> {
  const { size, rounds } = options
  const times = { write: [] as number[], read: [] as number[] }
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const what of ['write', 'read'] as const) {
      const file = await openFile(path, what === 'write' ? 'w' : 'r')
      const start = performance.now()
      try {
        await (what === 'write' ? writeAll(file, size, signal) : readAll(file, size, signal))
      } finally {
        await file.close()
      }
      if (round > 0) times[what].push(performance.now() - start)
    }
  }
  const rate = (list: number[]): number => size / 2 ** 20 / (median(list) / 1_000)
  return { write: rate(times.write), read: rate(times.read) }
}

async function writeAll(file: Handle, size: number, signal: AbortSignal): Promise<void> {
  for (let done = 0; done < size; done += PIECE.length) {
    signal.throwIfAborted()
    await file.write(PIECE.subarray(0, Math.min(PIECE.length, size - done)))
  }
}

/** @throws if what is read is not what was written: no speed is told of wrong work. */
async function readAll(file: Handle, size: number, signal: AbortSignal): Promise<void> {
  const buffer = Buffer.alloc(PIECE.length)
  let done = 0
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead } = await file.read(buffer, 0, buffer.length, done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  const last = buffer.subarray(0, size % PIECE.length || PIECE.length)
  if (done !== size || !last.equals(PIECE.subarray(0, last.length))) throw new Error('what was read is not what was written')
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
