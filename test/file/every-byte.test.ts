import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ciphertextSize, segmentCount, type Geometry } from '../../src/container/geometry.js'
import { parseDirectory } from '../../src/container/redo-list.js'
import { EncryptedFile, SealfileError } from '../../src/index.js'
import { buildStreamFile, segmentExtent, unlock } from '../support/container-parts.js'
import { appendEncrypted, OPTIONS, patternBytes, SEGMENT_SIZE, writeEncrypted } from '../support/encrypted-files.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const inFolder = temporaryFolder()
const HEADER_BITS = [1, 2, 4, 8, 16, 32, 64, 128]
/** Findings that a failed test prints. */
const SHOWN = 20
const BODY_BITS = process.env['SLOW'] === '1' ? HEADER_BITS : [1]

/** What reading a file came to, in one word: `same`, or an error's code and segment. */
type Outcome = string

interface Region {
  readonly name: string
  readonly start: number
  readonly end: number
  readonly expected: Outcome
  /** The bits to change in each byte; those of the body by default. */
  readonly bits?: readonly number[]
}

/** A whole file of one kind, and what is expected of each of its bytes. */
interface Specimen {
  readonly bytes: Buffer
  readonly plaintext: Buffer
  readonly regions: readonly Region[]
  /** What reading gives, or begins with, when only `size` bytes are left. */
  readonly whenCut: (size: number) => Outcome
  readonly whenLengthened: (by: number) => Outcome
}

function describeOutcome(path: string, plaintexts: readonly Buffer[]): Outcome {
  try {
    const file = EncryptedFile.openSync(path, 'r', OPTIONS)
    try {
      const content = file.readFile()
      const found = plaintexts.findIndex((plaintext) => plaintext.equals(content))
      return found === -1 ? 'WRONG CONTENT' : found === 0 ? 'same' : `state ${found}`
    } finally {
      file.close()
    }
  } catch (error) {
    if (!(error instanceof SealfileError)) return `OTHER ERROR ${String(error)}`
    if (error.path !== path || !error.message.includes(path)) return `FILE NOT NAMED ${error.message}`
    const segment = 'segment' in error && typeof error.segment === 'number' ? error.segment : undefined
    if (segment !== undefined && !error.message.includes(`segment ${segment} `)) return `SEGMENT NOT NAMED ${error.message}`
    const { code } = error as SealfileError
    return segment === undefined ? code : `${code} ${segment}`
  }
}

const keyHeader = (endOfHeader: number): Region[] => [
  { name: 'magic', start: 0, end: 5, expected: 'ERR_SEALFILE_FORMAT' },
  { name: 'line ends of the magic', start: 5, end: 8, expected: 'ERR_SEALFILE_FORMAT_HEADER' },
  { name: 'version', start: 8, end: 10, expected: 'ERR_SEALFILE_FORMAT_VERSION' },
  { name: 'parameters', start: 10, end: 32, expected: 'ERR_SEALFILE_FORMAT_HEADER' },
  { name: 'salt', start: 32, end: 64, expected: 'ERR_SEALFILE_FORMAT_HEADER' },
  { name: 'commitment', start: 64, end: 96, expected: 'ERR_SEALFILE_FORMAT_HEADER' },
  { name: 'live key slot', start: 96, end: 192, expected: 'ERR_SEALFILE_FORMAT_HEADER' },
  { name: 'idle key slot', start: 192, end: 288, expected: 'same' },
  { name: 'reserved', start: 288, end: Math.min(512, endOfHeader), expected: 'ERR_SEALFILE_FORMAT_HEADER' },
  { name: 'one of the three records', start: Math.min(512, endOfHeader), end: endOfHeader, expected: 'same' },
]

const inHeader = (regions: readonly Region[]): Region[] => regions.map((region) => ({ ...region, bits: HEADER_BITS }))

function segments(geometry: Geometry, length: number, count = segmentCount(geometry, length)): Region[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `segment ${index}`,
    ...segmentExtent(geometry, length, index),
    expected: `ERR_SEALFILE_CORRUPTED ${index}`,
  }))
}

/** What a file that is cut inside its header is, or undefined behind it. */
function cutInHeader(size: number, headerSize: number): Outcome | undefined {
  if (size === 0) return 'ERR_SEALFILE_FORMAT'
  return size < headerSize ? 'ERR_SEALFILE_TRUNCATED' : undefined
}

function editable(): Specimen {
  const path = inFolder('editable')
  const plaintext = patternBytes(2 * SEGMENT_SIZE + 100)
  writeEncrypted(path, plaintext)
  const bytes = readFileSync(path)
  const { geometry } = unlock(bytes, OPTIONS)
  return {
    bytes,
    plaintext,
    regions: [...inHeader(keyHeader(1_280)), ...segments(geometry, plaintext.length)],
    whenCut(size) {
      const index = Math.floor((size - 1_280) / (SEGMENT_SIZE + 28))
      return cutInHeader(size, 1_280) ?? `ERR_SEALFILE_TRUNCATED ${index}`
    },
    // What lies behind the end belongs to no state: a writer that died may have left it.
    whenLengthened: () => 'same',
  }
}

function empty(): Specimen {
  const path = inFolder('empty')
  writeEncrypted(path, '')
  return {
    bytes: readFileSync(path),
    plaintext: Buffer.alloc(0),
    regions: inHeader(keyHeader(1_280)),
    whenCut: (size) => cutInHeader(size, 1_280)!,
    whenLengthened: () => 'same',
  }
}

/** A file whose short last segment was replaced when more was appended: its new version waits in the redo list. */
function withRedoList(): Specimen {
  const path = inFolder('redo')
  const before = patternBytes(SEGMENT_SIZE + 100)
  const added = patternBytes(60, 2)
  const plaintext = Buffer.concat([before, added])
  writeEncrypted(path, before)
  appendEncrypted(path, added)
  const bytes = readFileSync(path)
  const { geometry, records } = unlock(bytes, OPTIONS)
  const { position, count, end } = records[0]!.redo!
  const directory = bytes.subarray(position, position + 48 * count)
  const [entry] = parseDirectory(directory)
  expect({ count, end, index: entry!.index, length: entry!.length }).toEqual({ count: 1, end: bytes.length, index: 1, length: 160 })
  const dataEnd = segmentExtent(geometry, before.length, 0).end
  return {
    bytes,
    plaintext,
    regions: [
      ...inHeader(keyHeader(1_280)),
      ...segments(geometry, plaintext.length, 1),
      { name: 'the replaced version, and the gap behind it', start: dataEnd, end: entry!.position, expected: 'same' },
      { name: 'listed segment', start: entry!.position, end: entry!.position + 160, expected: 'ERR_SEALFILE_CORRUPTED 1' },
      { name: 'directory', start: position, end, expected: 'ERR_SEALFILE_CORRUPTED' },
    ],
    // The directory lies at the end, so that every cut takes a part of it.
    whenCut: (size) => cutInHeader(size, 1_280) ?? 'ERR_SEALFILE_TRUNCATED',
    whenLengthened: () => 'same',
  }
}

function stream(): Specimen {
  const plaintext = patternBytes(SEGMENT_SIZE + 100)
  const bytes = buildStreamFile(plaintext, OPTIONS)
  const { geometry } = unlock(bytes, OPTIONS)
  const stride = SEGMENT_SIZE + 16
  /** A size that some stream has shows as a last segment that is not the last, any other as the end inside a segment. */
  const ofSize = (size: number): Outcome => {
    const index = Math.max(0, Math.ceil((size - 288) / stride) - 1)
    return size - 288 - index * stride <= (index === 0 ? 15 : 16) ? 'ERR_SEALFILE_TRUNCATED' : `ERR_SEALFILE_CORRUPTED ${index}`
  }
  return {
    bytes,
    plaintext,
    regions: [...inHeader(keyHeader(288)), ...segments(geometry, plaintext.length)],
    whenCut: (size) => cutInHeader(size, 288) ?? ofSize(size),
    whenLengthened: (by) => ofSize(bytes.length + by),
  }
}

describe.each([
  ['an editable file', editable],
  ['an empty file', empty],
  ['a file with a pending redo list', withRedoList],
  ['a stream', stream],
])('%s', (name, make) => {
  const { bytes, plaintext, regions, whenCut, whenLengthened } = make()
  const path = inFolder(`${name} to damage`)

  test('the regions cover all of it', () => {
    const covered = regions.filter(({ start, end }) => start < end)
    expect(covered.map(({ start }) => start)).toEqual([0, ...covered.slice(0, -1).map(({ end }) => end)])
    expect(covered.at(-1)!.end).toBe(bytes.length)
    writeFileSync(path, bytes)
    expect(describeOutcome(path, [plaintext])).toBe('same')
  })

  test('with any byte changed gives what it should, and never other bytes', () => {
    writeFileSync(path, bytes)
    const fd = openSync(path, 'r+')
    const wrong: string[] = []
    let count = 0
    for (const region of regions) {
      for (let position = region.start; position < region.end; position++) {
        for (const bit of region.bits ?? BODY_BITS) {
          writeSync(fd, Uint8Array.of(bytes[position]! ^ bit), 0, 1, position)
          const outcome = describeOutcome(path, [plaintext])
          if (outcome !== region.expected) wrong.push(`${region.name}, byte ${position}, bit ${bit}: ${outcome}`)
          count++
        }
        writeSync(fd, bytes, position, 1, position)
      }
    }
    closeSync(fd)
    expect(wrong.slice(0, SHOWN)).toEqual([])
    expect(count).toBeGreaterThanOrEqual(bytes.length)
    expect(describeOutcome(path, [plaintext])).toBe('same')
  })

  test('cut at any length is an error, and never an older or shorter file', () => {
    writeFileSync(path, bytes)
    const fd = openSync(path, 'r+')
    const wrong: string[] = []
    for (let size = bytes.length - 1; size >= 0; size--) {
      ftruncateSync(fd, size)
      const outcome = describeOutcome(path, [plaintext])
      if (!outcome.startsWith(whenCut(size))) wrong.push(`cut to ${size}: ${outcome}, not ${whenCut(size)}`)
    }
    closeSync(fd)
    expect(wrong.slice(0, SHOWN)).toEqual([])
  })

  test('lengthened gives what it should, and never other bytes', () => {
    const wrong: string[] = []
    for (const by of [1, 12, 15, 16, 17, 28, 29, 255, 256, SEGMENT_SIZE, SEGMENT_SIZE + 28, 100_000]) {
      for (const tail of [Buffer.alloc(by), patternBytes(by), Buffer.alloc(by, bytes.subarray(-Math.min(by, bytes.length)))]) {
        writeFileSync(path, Buffer.concat([bytes, tail]))
        const outcome = describeOutcome(path, [plaintext])
        if (outcome !== whenLengthened(by)) wrong.push(`lengthened by ${by}: ${outcome}, not ${whenLengthened(by)}`)
      }
    }
    expect(wrong.slice(0, SHOWN)).toEqual([])
  })
})

describe('a file whose writer died', () => {
  const path = inFolder('died')
  const states = [patternBytes(SEGMENT_SIZE + 500), patternBytes(300), Buffer.alloc(0)]
  const file = EncryptedFile.openSync(path, 'w', OPTIONS)
  file.sync()
  file.write(states[0]!.subarray(0, 300))
  file.sync()
  file.write(states[0]!.subarray(300))
  file.sync()
  const bytes = readFileSync(path)
  file.close()

  test('opens to its last commit', () => {
    writeFileSync(path, bytes)
    expect(describeOutcome(path, states)).toBe('same')
  })

  test('with any byte changed gives one of its commits or an error, and never other bytes', () => {
    writeFileSync(path, bytes)
    const fd = openSync(path, 'r+')
    const seen = new Map<Outcome, number>()
    for (let position = 0; position < bytes.length; position++) {
      writeSync(fd, Uint8Array.of(bytes[position]! ^ 0x20), 0, 1, position)
      const outcome = describeOutcome(path, states)
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
      writeSync(fd, bytes, position, 1, position)
    }
    closeSync(fd)
    const unexpected = [...seen.keys()].filter((outcome) => !/^(same|state \d|ERR_SEALFILE_\w+( \d)?)$/.test(outcome))
    expect(unexpected.slice(0, SHOWN)).toEqual([])
    expect(seen.get('same')).toBeGreaterThan(0)
  })

  test('cut at any length gives one of its commits or an error, and never other bytes', () => {
    writeFileSync(path, bytes)
    const fd = openSync(path, 'r+')
    const unexpected: string[] = []
    for (let size = bytes.length - 1; size >= 0; size--) {
      ftruncateSync(fd, size)
      const outcome = describeOutcome(path, states)
      if (!/^(same|state \d|ERR_SEALFILE_\w+( \d)?)$/.test(outcome)) unexpected.push(`cut to ${size}: ${outcome}`)
    }
    closeSync(fd)
    expect(unexpected.slice(0, SHOWN)).toEqual([])
  })
})

test('every specimen is as large as its geometry says, but for the redo list', () => {
  const { bytes, plaintext } = editable()
  expect(bytes.length).toBe(ciphertextSize(unlock(bytes, OPTIONS).geometry, plaintext.length))
})
