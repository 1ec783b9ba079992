import { isAscii, isUtf8 } from 'node:buffer'
import { createReadStream, fstatSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { isatty } from 'node:tty'
import { usageError } from './command-error.js'
import { askSecret } from './terminal.js'

/** Where a secret may come from. An argument is no place for one: everybody on the machine can read those. */
export interface SecretSource {
  /** As the prompt and messages call it. */
  readonly name: string
  readonly file?: string | undefined
  readonly fd?: number | undefined
  /** Of the environment, where neither of the others is given. */
  readonly variable: string
  /** That gives the file, where one does. */
  readonly option?: string
  /** Ask a second time, for a secret that is new. */
  readonly isNew?: boolean | undefined
  /** For another program, which may take letters as they are written; sealfile takes them in Unicode's form NFC, as the library does. */
  readonly isForeign?: boolean | undefined
}

/** More than anybody types, and not so much that a wrong path costs anything. */
const LONGEST = 65_536
const NEWLINE = 10
const CARRIAGE_RETURN = 13

const taken = new Map<number, string>()

/** Notes what a descriptor is read for. @throws CommandError if that is something else already, which would get the rest, or nothing. */
export function takeDescriptor(fd: number, use: string): void {
  const before = taken.get(fd) ?? use
  if (before !== use)
    throw usageError(
      `descriptor ${fd} cannot be both the ${before} and the ${use}`,
      'Give each a file, or a descriptor of its own.',
    )
  taken.set(fd, use)
}

/**
 * Gets a secret from a file, a descriptor, the environment, or whoever sits at the terminal.
 *
 * @returns bytes, the caller's to overwrite.
 * @throws CommandError, system errors; never with the secret in their messages.
 */
export async function getSecret(source: SecretSource, signal: AbortSignal): Promise<Buffer> {
  const secret = await findSecret(source, signal)
  if (source.isForeign === true || isAscii(secret) || !isUtf8(secret)) return secret
  const normal = Buffer.from(secret.toString().normalize('NFC'))
  secret.fill(0)
  return normal
}

async function findSecret(source: SecretSource, signal: AbortSignal): Promise<Buffer> {
  const { name, file, fd, variable } = source
  if (file !== undefined && fd !== undefined)
    throw usageError(`the ${name} is to come from a file and from a descriptor: which one?`)
  if (file !== undefined) return firstLine(await readSecretFile(file, name, signal), name)
  if (fd !== undefined) {
    refuseTerminal(fd, `descriptor ${fd}`, name)
    takeDescriptor(fd, name)
    return firstLine(await readAll(createReadStream('', { fd, end: LONGEST, signal }), name), name)
  }
  const value = takeVariable(variable)
  return fromText(value ?? (await ask(source, signal)), name)
}

/**
 * Reads a file that is a secret, such as a key.
 *
 * @returns bytes, the caller's to overwrite.
 * @throws CommandError, system errors; never with the secret in their messages.
 */
export async function readSecretFile(path: string, name: string, signal: AbortSignal): Promise<Buffer> {
  const file = await open(path)
  try {
    refuseTerminal(file.fd, path, name)
    if (await isStandardInput(file)) takeDescriptor(0, name)
    return await readAll(file.createReadStream({ end: LONGEST, autoClose: false, signal }), name)
  } finally {
    await file.close()
  }
}

function refuseTerminal(fd: number, what: string, name: string): void {
  if (isatty(fd)) throw usageError(`${what} is a terminal, which would show the ${name}`, 'Leave it out, to be asked.')
}

/** By another name, such as /dev/stdin. */
async function isStandardInput(file: FileHandle): Promise<boolean> {
  const [{ dev, ino }, standard] = [await file.stat(), fstatSync(0)]
  return dev === standard.dev && ino === standard.ino
}

/** @throws CommandError for what is too long. */
async function readAll(stream: AsyncIterable<Buffer>, name: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  const all = Buffer.concat(chunks)
  for (const chunk of chunks) chunk.fill(0)
  if (all.length <= LONGEST) return all
  all.fill(0)
  throw usageError(`the ${name} that was given is longer than ${LONGEST} bytes`)
}

/** @param all - Overwritten. @throws CommandError where the line is empty. */
function firstLine(all: Buffer, name: string): Buffer {
  const end = all.indexOf(NEWLINE)
  const line = end < 0 ? all : all.subarray(0, all[end - 1] === CARRIAGE_RETURN ? end - 1 : end)
  if (line.length === 0) throw usageError(`the ${name} that was given is empty`)
  const secret = Buffer.from(line)
  all.fill(0)
  return secret
}

/** Programs that are started from here, such as an editor, have no use for it. */
function takeVariable(name: string): string | undefined {
  const value = process.env[name]
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  delete process.env[name]
  return value === '' ? undefined : value
}

async function ask({ name, variable, option, isNew = false }: SecretSource, signal: AbortSignal): Promise<string> {
  const label = name[0]!.toUpperCase() + name.slice(1)
  const otherwise = option === undefined ? `Set ${variable}.` : `Set ${variable}, or give ${option} <file>.`
  const secret = await askSecret(`${label}:`, otherwise, signal)
  if (secret === '') throw usageError(`the ${name} is empty`)
  if (isNew && (await askSecret(`${label} again:`, otherwise, signal)) !== secret) {
    throw usageError('the two are not the same', 'Nothing was changed. Try again.')
  }
  return secret
}

/** What was no UTF-8 has come as U+FFFD, whatever it was: such passphrases would open each other's keyrings. */
function fromText(text: string, name: string): Buffer {
  if (text.includes('\uFFFD')) throw usageError(`the ${name} is not UTF-8`, 'Give it in a file, where it may be any bytes.')
  return Buffer.from(text)
}
