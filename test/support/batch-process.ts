import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll } from 'vitest'
import { buildBatchWorker } from './build-workers.js'

/**
 * Lets tests run batches in processes of their own, which may be killed or limited.
 *
 * @param script - What such a process does: a module, which has all that the library exports, and `say(value)` for what the test is to hear.
 * @returns what starts one. @param shell - A command that the process is started with, before its own: `prlimit --fsize=1000`.
 */
export function batchProcess(script: string): (args: readonly string[], shell?: readonly string[]) => BatchProcess {
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sealfile-batch-'))
    const [index, batch] = ['index', 'batch'].map((name) => fileURLToPath(new URL(`../../src/${name}.ts`, import.meta.url)))
    await build({
      stdin: { contents: `export * from ${JSON.stringify(index)}\nexport * from ${JSON.stringify(batch)}`, resolveDir: folder },
      outfile: join(folder, 'sealfile.js'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'error',
    })
    await buildBatchWorker(join(folder, 'batch-worker.js'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const head =
      "import * as sealfile from './sealfile.js'\nconst say = (value) => process.stdout.write(JSON.stringify(value) + '\\n')\n"
    writeFileSync(join(folder, 'child.js'), head + script)
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  return (args, shell = []) => {
    const [command, ...rest] = [...shell, process.execPath, join(folder, 'child.js'), ...args] as [string, ...string[]]
    return new BatchProcess(spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] }))
  }
}

/** One that was started. */
class BatchProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #output = ''
  #errors = ''
  onSay: () => void = () => undefined

  constructor(child: ChildProcess) {
    this.#child = child
    child.stdout!.on('data', (data: Buffer) => {
      this.#output += data.toString()
      this.onSay()
    })
    child.stderr!.on('data', (data: Buffer) => (this.#errors += data.toString()))
    this.#ended = new Promise((resolve, reject) => child.once('close', () => resolve()).once('error', reject))
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** @returns all that it said, when it has ended. @throws what it wrote to stderr, unless it was killed. */
  async end(): Promise<unknown[]> {
    await this.#ended
    if (this.#errors !== '') throw new Error(this.#errors)
    const lines = this.#output.split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as unknown)
  }
}
