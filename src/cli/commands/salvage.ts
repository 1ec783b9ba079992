import type { Command } from 'commander'
import type { SalvageReport } from 'sealfile'
import type { Bind, Call } from '../call.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import { addPurpose, openOptions } from '../file-options.js'
import { withKeys } from '../open-keys.js'
import { withProgress } from '../progress.js'
import { count } from '../sizes.js'

export function addSalvage(program: Command, bind: Bind): void {
  const command = program
    .command('salvage')
    .summary('save what is left of a damaged file')
    .description('Copy what authenticates of a damaged file into a new encrypted file. What is lost is zeros there.')
    .argument('<file>', 'damaged file, which is only read')
    .argument('<output>', 'file that does not exist')
  bind<object, [string, string]>(addPurpose(command), salvage)
}

async function salvage(call: Call, from: string, to: string): Promise<ExitCode | undefined> {
  const { signal } = call
  call.settings.purposeOf(from)
  const { EncryptedFile } = await import('sealfile')
  const report = await withKeys(call, (keyManager) =>
    withProgress(call.report, 'salvaging', (progress) => {
      const onProgress = ({ done, total }: { done: number; total: number }): void => progress.update(done, total)
      return EncryptedFile.salvage(from, to, { ...openOptions(call, keyManager, from), signal, onProgress })
    }),
  )
  await call.report.result({ command: 'salvage', file: from, output: to, ...report }, describe(to, report))
  return isWhole(report) ? undefined : EXIT.partial
}

function isWhole({ gaps, older, isSizeKnown, snapshot }: SalvageReport): boolean {
  return gaps.length === 0 && older.length === 0 && isSizeKnown && snapshot !== 'differs'
}

function describe(to: string, report: SalvageReport): string[] {
  const { size, salvaged, gaps, older, isSizeKnown, snapshot } = report
  const lines = [`${to}: ${salvaged} of ${count(size, 'byte')} saved`]
  for (const { position, length } of gaps) lines.push(`  lost: ${count(length, 'byte')} at ${position}`)
  for (const { position, length } of older) lines.push(`  from an older version: ${count(length, 'byte')} at ${position}`)
  if (!isSizeKnown) lines.push('  how long the file was is not known: something may be missing at the end')
  if (snapshot === 'differs') lines.push('  not all of it is of the last commit')
  return lines
}
