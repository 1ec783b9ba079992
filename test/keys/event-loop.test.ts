import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { deriveInWorker } from '../../src/keys/argon2id.js'
import { KeyManager } from '../../src/keys/key-manager.js'
import { temporaryFolder } from './support.js'

/**
 * An unlock must not block the event loop for more than 10 ms. Other programs on this machine block it as well, for as long as they like,
 * so one measurement says nothing: what counts is the best of several tries, each less what the loop is late without an unlock. It has
 * done well at 10 ms. The test fails at 50 ms, in all tries, which no load does for long, and every Argon2id on this thread does: the
 * default profile takes hundreds of milliseconds.
 */
const GOOD_MS = 10
const FAILING_MS = 50
const TRIES = 12

const path = temporaryFolder()
const passphrase = 'correct horse battery staple'

/** @returns the longest that the event loop was late, in milliseconds. */
async function longestDelay(work: () => Promise<unknown>): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  await sleep(5)
  await work()
  // A delay is recorded when it is over.
  await sleep(5)
  histogram.disable()
  return histogram.max / 1e6
}

async function bestExcess(work: () => Promise<unknown>): Promise<number> {
  let best = Infinity
  for (let i = 0; i < TRIES && best > GOOD_MS; i++) {
    const idle = await longestDelay(() => sleep(100))
    best = Math.min(best, (await longestDelay(work)) - idle)
  }
  return best
}

describe('the event loop turns', () => {
  test('while a keyring is opened', async () => {
    const file = path('keyring.json')
    const created = await KeyManager.create(file, { passphrase })
    created.close()
    const open = async (): Promise<void> => {
      const keyManager = await KeyManager.open(file, { passphrase })
      keyManager.close()
    }
    expect(await bestExcess(open)).toBeLessThan(FAILING_MS)
  })

  test('while one is created', async () => {
    let count = 0
    const create = async (): Promise<void> => {
      const keyManager = await KeyManager.create(path(`created-${++count}.json`), { passphrase })
      keyManager.close()
    }
    expect(await bestExcess(create)).toBeLessThan(FAILING_MS)
  })

  test('while the worker computes, which newer runtimes do not need', async () => {
    const input = { passphrase: Uint8Array.of(1), salt: new Uint8Array(16), parameters: { memoryKiB: 65_536, passes: 3, lanes: 4 } }
    expect(await bestExcess(() => deriveInWorker(input))).toBeLessThan(FAILING_MS)
  })
})

test('the measure sees a block of 100 ms', async () => {
  const block = (): Promise<void> => {
    const end = performance.now() + 100
    while (performance.now() < end);
    return Promise.resolve()
  }
  expect(await longestDelay(block)).toBeGreaterThan(FAILING_MS)
})
