import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Makes `node_modules` in a folder as `npm install sealfile` does: the package as `npm run build` builds it, but for types, with what it
 * depends on.
 *
 * @param others - Further packages that are to be there.
 */
export function installPackage(folder: string, others: readonly string[]): void {
  const modules = join(folder, 'node_modules')
  const home = join(modules, 'sealfile')
  mkdirSync(home, { recursive: true })
  copyFileSync(join(ROOT, 'package.json'), join(home, 'package.json'))
  const tsup = join(ROOT, 'node_modules/tsup/dist/cli-default.js')
  const { status, stderr } = spawnSync(process.execPath, [tsup, '--no-dts', '--silent', '--out-dir', join(home, 'dist')], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`tsup: ${stderr}`)
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
  for (const name of [...Object.keys(dependencies), ...others]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'junction')
  }
}
