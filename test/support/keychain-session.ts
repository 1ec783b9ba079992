import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** No setting of the session that the tests run in. */
const ENVIRONMENT = { PATH: process.env.PATH, LANG: 'C.UTF-8' }

/** Programs that use a keychain of their own, which lasts from one to the next and is gone afterwards. */
export interface KeychainSession {
  /**
   * Runs a program while the keychain is unlocked.
   *
   * @param script - An ES module that has `createKeychainProvider`, `PackageMissingError`, `ProviderError` and `assert`.
   */
  runUnlocked(script: string): SpawnSyncReturns<string>
  /** The same while it is locked, and nobody is there to unlock it. */
  runLocked(script: string): SpawnSyncReturns<string>
  /** The same outside of any session. */
  runOutside(script: string): SpawnSyncReturns<string>
  /** The same without the package. */
  runWithoutPackage(script: string): SpawnSyncReturns<string>
  remove(): void
}

/** @returns why there can be no keychain here, or undefined. */
export function whyNoKeychain(): string | undefined {
  if (process.platform !== 'linux') return 'only on Linux can a test have a keychain of its own'
  for (const program of ['gnome-keyring-daemon', 'dbus-run-session']) {
    if (spawnSync(program, ['--version']).status !== 0) return `there is no ${program}`
  }
  return undefined
}

export async function openKeychainSession(): Promise<KeychainSession> {
  const home = mkdtempSync(join(tmpdir(), 'sealfile-keychain-'))
  const bare = join(home, 'bare')
  const installed = join(home, 'installed')
  for (const folder of [bare, installed]) {
    await build({
      stdin: { contents: "export * from './src/providers.ts'\nexport * from './src/errors.ts'", resolveDir: ROOT },
      outfile: join(folder, 'library.mjs'),
      external: ['@napi-rs/keyring'],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'error',
    })
  }
  mkdirSync(join(installed, 'node_modules'))
  symlinkSync(join(ROOT, 'node_modules/@napi-rs'), join(installed, 'node_modules/@napi-rs'), 'dir')

  let count = 0
  const write = (folder: string, script: string): string => {
    const file = join(folder, `program-${++count}.mjs`)
    writeFileSync(
      file,
      `import { createKeychainProvider, PackageMissingError, ProviderError } from './library.mjs'\nimport assert from 'node:assert/strict'\n${script}`,
    )
    return file
  }
  const run = (command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(command, args, { encoding: 'utf8', timeout: 60_000, cwd: home, env: { ...ENVIRONMENT, HOME: home, ...env } })
  const inSession = (daemon: string, script: string) =>
    run('dbus-run-session', ['--', 'sh', '-ec', `${daemon} >/dev/null\n"$0" "$1"`, process.execPath, write(installed, script)])
  const nowhere = { DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(home, 'no-such-bus')}` }

  return {
    runUnlocked: (script) => inSession("printf 'a password' | gnome-keyring-daemon --unlock --components=secrets", script),
    runLocked: (script) => inSession('gnome-keyring-daemon --start --components=secrets', script),
    runOutside: (script) => run(process.execPath, [write(installed, script)], nowhere),
    runWithoutPackage: (script) => run(process.execPath, [write(bare, script)], nowhere),
    remove: () => rmSync(home, { recursive: true, force: true, maxRetries: 5 }),
  }
}
