import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { beforeAll, inject } from 'vitest'
import { KeyManager } from '../../src/index.js'
import { temporaryFolder } from './temporary-folder.js'

/** Runs the `sealfile` command as people do: in a process of its own, in a folder, at a terminal. */

export const PASSPHRASE = 'correct horse battery staple'

/** What a run gave. */
export interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** Standard output as it is. */
  readonly bytes: Buffer
}

/** How the command is run. */
export interface RunOptions {
  readonly input?: string | Uint8Array
  /** On top of what a command needs; undefined takes away. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** What is typed, each when the text before it has shown. */
export type Answers = readonly (readonly [prompt: string, typed: string | Uint8Array])[]

/** What a run at a terminal gave. */
export interface TerminalRun extends Run {
  /** Answers that nobody has asked for. */
  readonly unanswered: number
}

/** Keys that cost nothing, for whoever tests something else. */
const CHEAP = { memoryKiB: 8, passes: 1, lanes: 1 }

/** A folder with a keyring, and the command in it. */
export class CommandFolder {
  readonly at = temporaryFolder()

  constructor() {
    beforeAll(async () => {
      const keyManager = await KeyManager.create(this.at('keyring.json'), { passphrase: PASSPHRASE, argon2: CHEAP })
      keyManager.close()
      this.write('passphrase', `${PASSPHRASE}\n`)
    })
  }

  get path(): string {
    return dirname(this.at('x'))
  }

  write(name: string, content: string | Uint8Array): string {
    writeFileSync(this.at(name), content)
    return name
  }

  /** @returns the name of a program. */
  writeProgram(name: string, script: string): string {
    this.write(name, `#!/bin/sh\n${script}\n`)
    chmodSync(this.at(name), 0o755)
    return this.at(name)
  }

  environment(env: RunOptions['env'] = {}): NodeJS.ProcessEnv {
    return {
      PATH: `${dirname(inject('command'))}:${process.env['PATH']}`,
      SEALFILE_KEYRING: 'keyring.json',
      SEALFILE_PASSPHRASE: PASSPHRASE,
      SEALFILE_PURPOSE: 'test',
      NODE_V8_COVERAGE: process.env['NODE_V8_COVERAGE'],
      ...env,
    }
  }

  start(args: readonly string[], options: RunOptions = {}, stdio: ('pipe' | number)[] = ['pipe', 'pipe', 'pipe']): ChildProcess {
    const child = spawn(process.execPath, [inject('command'), ...args], {
      cwd: this.path,
      env: this.environment(options.env),
      stdio,
    })
    // It may end before it has read everything.
    child.stdin?.on('error', () => undefined)
    if (options.input !== undefined) child.stdin?.end(options.input)
    return child
  }

  /** Runs the command to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Run> {
    return endOf(this.start(args, { input: '', ...options }))
  }

  /** Runs a line of bash, with the command on the path. */
  shell(line: string, options: RunOptions = {}): Promise<Run> {
    const child = spawn('bash', ['--norc', '-c', line], { cwd: this.path, env: this.environment(options.env) })
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
    return endOf(child)
  }

  /** Runs the command at a terminal of its own. */
  terminal(args: readonly string[], answers: Answers, options: RunOptions = {}): Promise<TerminalRun> {
    const words = [process.execPath, inject('command'), ...args]
    return this.terminalLine(words.map((word) => `'${word}'`).join(' '), answers, options)
  }

  /** Runs a line of the shell at a terminal of its own. @returns with all that the terminal showed. */
  async terminalLine(line: string, answers: Answers, options: RunOptions = {}): Promise<TerminalRun> {
    const child = spawn('script', ['-qefc', line, '/dev/null'], { cwd: this.path, env: this.environment(options.env) })
    const open = [...answers]
    let seen = ''
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
      const [next] = open
      if (next === undefined || !seen.includes(next[0])) return
      seen = seen.slice(seen.indexOf(next[0]) + next[0].length)
      open.shift()
      // The prompt shows a moment before the terminal is asked to be silent.
      setTimeout(() => child.stdin.write(next[1]), 100)
    })
    const run = await endOf(child)
    return { ...run, unanswered: open.length }
  }
}

export function endOf(child: ChildProcess): Promise<Run> {
  const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
  child.stdout?.on('data', (chunk: Buffer) => chunks.stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => chunks.stderr.push(chunk))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => {
      const bytes = Buffer.concat(chunks.stdout)
      resolve({ status, bytes, stdout: bytes.toString(), stderr: Buffer.concat(chunks.stderr).toString() })
    })
  })
}

/** Why no pseudo-terminal can be had here; undefined where one can. */
export const NO_TERMINAL =
  process.platform === 'linux' && spawnSync('script', ['--version']).status === 0 ? undefined : 'the program script is missing'

/** @returns names of files that nobody but a running command should see. */
export function workingNames(names: readonly string[]): string[] {
  return names.filter((name) => /sealfile-(tmp|lock)/.test(basename(name)))
}
