import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A program in a process of its own, and what it has printed. */
export class Program {
  readonly process: ChildProcess
  readonly lines: string[] = []
  /** The exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>
  #errors = ''
  #hasEnded = false
  #heard: () => void = () => undefined

  constructor(script: string, args: readonly string[], { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    this.process = spawn(process.execPath, [script, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    createInterface({ input: this.process.stdout! }).on('line', (line) => {
      this.lines.push(line)
      this.#heard()
    })
    this.process.stderr!.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString()
      this.#heard()
    })
    this.ended = new Promise((resolve) => this.process.once('close', (code, signal) => resolve(code ?? signal)))
    void this.ended.then(() => {
      this.#hasEnded = true
      this.#heard()
    })
  }

  get errors(): string {
    return this.#errors
  }

  /** Waits for a line that begins so, on either stream. @returns the line. */
  async line(start: string): Promise<string> {
    const find = (): string | undefined => [...this.lines, ...this.#errors.split('\n')].find((line) => line.startsWith(start))
    await this.#until(() => find() !== undefined, `'${start}'`)
    return find()!
  }

  /** Waits for so many lines. */
  lineCount(count: number): Promise<void> {
    return this.#until(() => this.lines.length >= count, `${count} lines`)
  }

  async #until(isThere: () => boolean, what: string): Promise<void> {
    while (!isThere()) {
      if (this.#hasEnded) throw new Error(`ended without ${what}: ${this.lines.join('\n')}${this.#errors}`)
      await new Promise<void>((resolve) => (this.#heard = resolve))
    }
  }
}
