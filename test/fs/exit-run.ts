import { pbkdf2 } from 'node:crypto'
import fs from 'node:fs'
import { createEncryptedFs } from '../../src/fs.js'
import { KeyManager } from '../../src/index.js'
import { Interleaving } from './interleaving.js'

/** A process that ends in the middle of its calls: exit.test.ts runs it. */

const [path, seed, last, how] = process.argv.slice(2) as [string, string, string, 'exit' | 'throw' | 'stop']
const keyManager = KeyManager.fromKey(Buffer.from(process.env['KEY']!, 'hex'))
const io = createEncryptedFs({ keyManager, purpose: process.env['PURPOSE']!, segmentSize: 4_096, commitInterval: 2 })

// Keeps the threads busy that carry out what goes on in the background.
if (Number(seed) % 2 === 0) for (let i = 0; i < 6; i++) pbkdf2('x', 'y', 200_000, 32, 'sha256', () => undefined)

function afterCall(index: number, expected: Buffer): void {
  if (index !== Number(last)) return
  fs.writeFileSync(`${path}.expected`, expected)
  if (how === 'exit') process.exit(3)
  if (how === 'throw') throw new Error('enough')
}

await new Interleaving(io, path, Number(seed), { calls: Number(last) + 1, largest: 6 * 2 ** 20, afterCall, closes: false }).run()
