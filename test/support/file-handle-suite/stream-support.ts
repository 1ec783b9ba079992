import type { EventEmitter } from 'node:events'
import { writeFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { Flags, Handle } from './handle.js'
import { CONTENT, rejection, wordsOf, type Subject } from './subject.js'

/** Keeps the events that come, in their order, as `stream end`. */
export class EventLog {
  readonly seen: string[] = []

  watch(name: string, emitter: Pick<EventEmitter, 'on'>, events: readonly string[]): void {
    for (const event of events) {
      emitter.on(event, (error?: unknown) => {
        this.seen.push(error instanceof Error ? `${name} ${event}: ${error.message}` : `${name} ${event}`)
      })
    }
  }

  /** The events that a stream and its handle have. */
  watchBoth(handle: Handle, stream: Pick<EventEmitter, 'on'>): void {
    this.watch('handle', handle as unknown as EventEmitter, ['close'])
    this.watch('stream', stream, ['open', 'ready', 'end', 'finish', 'error', 'close'])
  }
}

/** @returns once all that is on its way has come, but for the disk. */
export const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

/** @returns when a stream has closed, whatever it failed with before: `once` would fail, too. */
export const closeOf = (stream: EventEmitter): Promise<void> =>
  new Promise((resolve) => {
    stream.once('close', () => resolve())
  })

/** @returns all of a stream's bytes. */
export async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

/** Node's handle may count a stream that it has refused as one that is open: this takes it back, or the handle would never close. */
function forgetRefusedStream(handle: Handle): void {
  const symbolOf = (object: object, name: string): symbol | undefined =>
    Object.getOwnPropertySymbols(object).find(({ description }) => description === name)
  const [refs, unref] = [symbolOf(handle, 'kRefs'), symbolOf(Object.getPrototypeOf(handle) as object, 'kUnref')]
  if (refs === undefined || unref === undefined) return
  const inside = handle as unknown as { [refs: symbol]: number } & { [unref: symbol]: () => void }
  if (inside[refs] === 1) return
  ;(handle as unknown as EventEmitter).removeAllListeners('close')
  ;(inside[unref] as unknown as () => void).call(handle)
}

/**
 * Makes a stream that is refused at once. Node's handle refuses it in the same words, and the handle goes on.
 *
 * @returns what it was refused with.
 */
export async function streamRefusal(
  { opened, freshPath, options, open }: Subject,
  make: (handle: Handle) => unknown,
  flags: Flags = 'r+',
): Promise<NodeJS.ErrnoException> {
  const handle = await opened(flags)
  const error = await rejection(() => make(handle))
  forgetRefusedStream(handle)
  expect((await handle.stat()).size).toBe(CONTENT.length)
  await handle.close()
  expect(handle.fd).toBe(-1)
  const plainPath = freshPath()
  writeFileSync(plainPath, CONTENT)
  const plainHandle = await (options.oracle ?? open)(plainPath, flags)
  const plainError = await rejection(() => make(plainHandle))
  forgetRefusedStream(plainHandle)
  await plainHandle.close()
  expect(wordsOf(error)).toEqual(wordsOf(plainError))
  return error
}
