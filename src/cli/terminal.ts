import { openSync } from 'node:fs'
import { ReadStream, WriteStream } from 'node:tty'
import { interrupted, usageError } from './command-error.js'

interface Terminal {
  readonly input: ReadStream
  readonly output: WriteStream
}

/**
 * Asks for a secret on the terminal that the command was started from, whatever its standard streams are, and shows nothing of what is typed.
 *
 * @param otherwise - What to do where there is no terminal.
 * @throws CommandError where there is no terminal; where the answer is Ctrl-C or Ctrl-D; what the signal says.
 */
export async function askSecret(prompt: string, otherwise: string, signal: AbortSignal): Promise<string> {
  const { input, output } = openTerminal(otherwise)
  try {
    const { read } = await import('read')
    return await new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      // After an answer, too, and then this comes too late to mean anything.
      input.once('pause', () => setImmediate(() => reject(interrupted())))
      read({ prompt, input, output, silent: true, terminal: true }).then(resolve, () => reject(interrupted()))
    })
  } finally {
    input.setRawMode(false)
    input.destroy()
    output.write('\n')
    output.destroy()
  }
}

function openTerminal(otherwise: string): Terminal {
  try {
    const [from, to] = process.platform === 'win32' ? ['\\\\.\\CONIN$', '\\\\.\\CONOUT$'] : ['/dev/tty', '/dev/tty']
    return { input: new ReadStream(openSync(from, 'r+')), output: new WriteStream(openSync(to, 'r+')) }
  } catch {
    throw usageError('there is no terminal to ask for a secret', otherwise)
  }
}
