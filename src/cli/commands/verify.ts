import type { Command } from 'commander'
import type { KeyManager, VerifyReport } from 'sealfile'
import { listFiles } from '../../file/tree/list-files.js'
import type { Bind, Call } from '../call.js'
import { EXIT, exitCodeOf, type ExitCode } from '../exit-codes.js'
import { addPurpose, openOptions } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { withProgress, type Progress } from '../progress.js'
import { errorFacts } from '../report.js'
import { count, formatSize } from '../sizes.js'

/** What came of one file. */
type Verdict = { readonly path: string } & (VerifyReport | { readonly ok: false; readonly error: unknown })

export function addVerify(program: Command, bind: Bind): void {
  const command = program
    .command('verify')
    .summary('look for damage')
    .description('Read files as a whole, and tell which segments do not authenticate. Exit code 4 if anything is damaged.')
    .argument('<path...>', 'encrypted files, and folders of them')
  bind<object, [string[]]>(addPurpose(command), verify)
}

async function verify(call: Call, paths: readonly string[]): Promise<ExitCode | undefined> {
  for (const path of paths) call.settings.purposeOf(path)
  const verdicts = await withKeys(call, (keyManager) =>
    withProgress(call.report, 'verifying', (progress) => verifyAll(call, keyManager, paths, progress)),
  )
  const bad = verdicts.filter(({ ok }) => !ok)
  const facts = verdicts.map((verdict) => ('error' in verdict ? { ...verdict, error: errorFacts(verdict.error) } : verdict))
  const text = [...verdicts.map(describe), `${count(verdicts.length, 'file')} verified, ${bad.length} not good`].join('\n')
  await call.report.result({ command: 'verify', ok: bad.length === 0, files: facts }, text)
  const codes = bad.map((verdict) => ('error' in verdict ? exitCodeOf(verdict.error) : EXIT.damaged))
  return codes.includes(EXIT.damaged) ? EXIT.damaged : codes[0]
}

async function verifyAll(call: Call, keyManager: KeyManager, paths: readonly string[], progress: Progress): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  let done = 0
  for await (const { path: found, error } of listFiles(paths)) {
    call.signal.throwIfAborted()
    const path = found.toString()
    if (error !== undefined) verdicts.push({ path, ok: false, error })
    else verdicts.push(await verifyOne(call, keyManager, path, (now) => progress.update(done + now, undefined)))
    const last = verdicts.at(-1)!
    done += 'size' in last ? last.size : 0
  }
  return verdicts
}

async function verifyOne(call: Call, keyManager: KeyManager, path: string, onDone: (bytes: number) => void): Promise<Verdict> {
  const { signal } = call
  try {
    const { EncryptedFile } = await import('sealfile')
    const file = await EncryptedFile.open(path, 'r', openOptions(call, keyManager, path))
    try {
      return { path, ...(await file.verify({ signal, onProgress: ({ done }) => onDone(done) })) }
    } finally {
      await file.close()
    }
  } catch (error) {
    signal.throwIfAborted()
    return { path, ok: false, error }
  }
}

function describe(verdict: Verdict): string {
  const { path } = verdict
  if ('error' in verdict) return `${path}: ${(verdict.error as Error).message}`
  if (verdict.ok) return `${path}: good, ${formatSize(verdict.size)}`
  const { bad, segments, snapshot } = verdict
  if (bad.length === 0 && snapshot === 'differs') return `${path}: an older version of a segment was put back`
  const places = bad.map(({ segment, position, length }) => `\n  segment ${segment}: ${count(length, 'byte')} at ${position}`)
  return `${path}: ${bad.length} of ${count(segments, 'segment')} damaged${places.join('')}`
}
