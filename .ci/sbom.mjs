/**
 * Prints what users get with the package, as CycloneDX: `npm run sbom`. Fails where a dependency is missing from it, or something has no licence.
 *
 * In an empty folder, with the dependencies alone: of the checkout, `npm sbom --omit dev` leaves out what a development tool needs, too.
 */
/* eslint-disable @typescript-eslint/no-unsafe-assignment -- it does not read the types in comments, which JSON has here */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

const { name, version, license, dependencies } =
  /** @type {{ name: string, version: string, license: string, dependencies: Record<string, string> }} */ (
    JSON.parse(readFileSync('package.json', 'utf8'))
  )
const folder = join(mkdtempSync(join(tmpdir(), 'sealfile-sbom-')), name)
const npm = (/** @type {string[]} */ ...args) =>
  execFileSync('npm', ['--prefix', folder, ...args], { encoding: 'utf8', cwd: folder })
try {
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, license, dependencies }))
  npm('install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund')
  const text = npm('sbom', '--package-lock-only', '--sbom-format', 'cyclonedx')
  const { components } = /** @type {{ components: { name: string, licenses?: unknown[] }[] }} */ (JSON.parse(text))
  const missing = Object.keys(dependencies).filter((wanted) => !components.some((component) => component.name === wanted))
  const unlicensed = components.filter(({ licenses = [] }) => licenses.length === 0).map((component) => component.name)
  process.stdout.write(text)
  if (missing.length > 0) process.stderr.write(`missing from the list: ${missing.join(', ')}\n`)
  if (unlicensed.length > 0) process.stderr.write(`without a licence: ${unlicensed.join(', ')}\n`)
  process.exitCode = missing.length + unlicensed.length > 0 ? 1 : 0
} finally {
  rmSync(join(folder, '..'), { recursive: true, force: true })
}
