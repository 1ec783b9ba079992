import type { Command } from 'commander'
import type { VerifyBatchReport } from 'sealfile/batch'
import type { Bind, Call } from '../call.js'
import { EXIT, exitCodeOf, type ExitCode } from '../exit-codes.js'
import { addPurpose } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { withProgress } from '../progress.js'
import { rootOf } from './batch.js'

export function addVerify(program: Command, bind: Bind): void {
  const command = program
    .command('verify')
    .summary('look for damage')
    .description('Read files as a whole, and tell which segments do not authenticate. Exit code 4 if anything is damaged.')
    .argument('<path...>', 'encrypted files, and folders of them')
  bind<object, [string[]]>(addPurpose(command), verify)
}

async function verify(call: Call, paths: readonly string[]): Promise<ExitCode | undefined> {
  const { settings, signal } = call
  settings.requirePurpose()
  const purpose = settings.purposesWithin(await rootOf(paths))
  const { context } = settings.commonOptions()
  const { verifyBatch } = await import('sealfile/batch')
  const report = await withKeys(call, (keyManager) =>
    withProgress(call.report, 'verifying', (progress) =>
      verifyBatch(paths, {
        ...{ keyManager, purpose, context, signal },
        onProgress: ({ bytes, totalBytes, isListed }) => progress.update(bytes, isListed ? totalBytes : undefined),
      }),
    ),
  )
  await call.report.result({ command: 'verify', ...report.toJSON() }, report.toString().split('\n'))
  return exitCodeFor(report)
}

function exitCodeFor({ problems }: VerifyBatchReport): ExitCode | undefined {
  const codes = problems.map(({ kind, error }) => (kind === 'damaged' ? EXIT.damaged : exitCodeOf(error)))
  return codes.includes(EXIT.damaged) ? EXIT.damaged : codes[0]
}
