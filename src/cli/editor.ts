import { spawn } from 'node:child_process'
import { CommandError, usageError } from './command-error.js'
import { Signals } from './signals.js'

/** @returns the editor that the environment names. @throws CommandError where none can run. */
export function findEditor(): string {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw usageError('there is no terminal for an editor', 'Run it in a terminal; or use sealfile decrypt and sealfile encrypt.')
  }
  const editor = [process.env['VISUAL'], process.env['EDITOR']].find((name) => name !== undefined && name !== '')
  if (editor === undefined)
    throw usageError('there is no editor', 'Set VISUAL or EDITOR, for example: EDITOR=nano sealfile edit ...')
  return editor
}

/**
 * Lets a file be edited.
 *
 * @param editor - A program and its arguments, as a shell takes them.
 * @returns when the editor has ended; a signal ends it, too.
 * @throws CommandError where it could not run, or said that it failed.
 */
export async function runEditor(editor: string, path: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const exit = await Signals.leaveInterruptsTo(() => start(editor, path, signal))
  if (signal.aborted || exit === 0) return
  const message = `the editor '${editor}' ended with ${exit}, and nothing was saved`
  throw new CommandError(message, exit === 127 ? { hint: 'Is it installed? VISUAL and EDITOR say which it is.' } : {})
}

function start(editor: string, path: string, signal: AbortSignal): Promise<number | string> {
  return new Promise((resolve, reject) => {
    const isWindows = process.platform === 'win32'
    const env = withoutSecrets()
    const child = isWindows
      ? spawn(`${editor} "${path}"`, { stdio: 'inherit', env, shell: true })
      : spawn('/bin/sh', ['-c', `exec ${editor} "$@"`, editor, path], { stdio: 'inherit', env })
    const stop = (): boolean => child.kill('SIGHUP')
    signal.addEventListener('abort', stop, { once: true })
    child.once('error', reject)
    child.once('exit', (code, name) => {
      signal.removeEventListener('abort', stop)
      resolve(code ?? name ?? 1)
    })
  })
}

/** Of the variables, one at most was taken to open the keyring. */
function withoutSecrets(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^SEALFILE_.*(PASSPHRASE|RECOVERY_KEY)$/.test(name)))
}
