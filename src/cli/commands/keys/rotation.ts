import type { Call } from '../../call.js'
import { withKeys } from '../../open-keys.js'

/** Makes a new generation of the master key. */
export async function rotate(call: Call): Promise<undefined> {
  const generation = await withKeys(call, (keyManager) => keyManager.rotateMasterKey())
  const text = `generation ${generation} is for new files. Keep a copy of the keyring, and move other files over: sealfile rewrap`
  await call.report.done({ command: 'keys rotate', generation }, text)
  return undefined
}

/** Removes a generation of the master key that no file needs. */
export async function retire(call: Call, generation: number, paths: readonly string[]): Promise<undefined> {
  await withKeys(call, (keyManager) => keyManager.retireGeneration(generation, { search: paths, signal: call.signal }))
  await call.report.done({ command: 'keys retire', generation }, `generation ${generation} removed`)
  return undefined
}
