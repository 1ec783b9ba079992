import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, describe, expect, test } from 'vitest'
import { documents, fencedBlocks, indentedLines, readDocument } from './markdown.js'

/** What newcomers copy is JavaScript as well as TypeScript. */
const FOR_ALL = ['README.md', 'docs/getting-started.md']

/** Blocks of these languages are no programs. */
const DATA = ['diff', 'hex', 'json', 'jsonc', 'text', 'yaml']

/** Documents whose shell blocks other tests run. */
const SHELL_ELSEWHERE = ['README.md', 'docs/cli.md']

/** Commands that stand in the text as they are, and where they are run. */
const COMMANDS = new Map([
  ['npm install', 'needs the package registry; `.ci/run` installs the tarball'],
  ['npm ci', 'a gate of `.ci/run`'],
  ['npm run', 'gates of `.ci/run`, but for the benchmarks'],
  ['.ci/run', 'is what runs this'],
  ['sealfile completion', 'is for the shell of whoever uses it; the tests of the command try it'],
])

/** The first line of a block that is not run says why. */
const REASON = /^(?:\/\/|#) not run in the tests: ([^\n]+)/

/** Each document is one program: a block may use what the blocks above it have declared. */
const DOCUMENTS = documents().filter((path) => runnable(path).length > 0)

/** @returns the blocks that make up the program of a document. */
function runnable(path: string): string[] {
  return fencedBlocks(readDocument(path))
    .filter(({ language, code }) => language === 'ts' && !REASON.test(code))
    .map(({ code }) => code)
}

const folder = mkdtempSync(join(tmpdir(), 'sealfile-docs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const IMPORT = /^import \{ (.+) \} from '(.+)'\n/gm
const PRINTED = /console\.log\(.*\) \/\/ (.+)$/gm

/** Joins blocks into one module: imports come first, each name once. */
function joinBlocks(blocks: readonly string[]): string {
  const names = new Map<string, Set<string>>()
  for (const [, list, from] of blocks.join('').matchAll(IMPORT)) {
    const known = names.get(from!) ?? new Set<string>()
    for (const name of list!.split(', ')) known.add(name)
    names.set(from!, known)
  }
  const imports = [...names].map(([from, list]) => `import { ${[...list].join(', ')} } from '${from}'\n`)
  return [...imports, ...blocks.map((block) => block.replace(IMPORT, ''))].join('\n')
}

/** What the entry points of the package are in the sources; the longer names first. */
function aliases(root: string): Record<string, string> {
  const { exports } = JSON.parse(readDocument('package.json')) as { exports: Record<string, unknown> }
  const names = Object.keys(exports).filter((name) => name.startsWith('./') && !name.endsWith('.json'))
  const subpaths = names.map((name) => [`sealfile/${name.slice(2)}`, join(root, `src/${name.slice(2)}.ts`)] as const)
  return Object.fromEntries([...subpaths, ['sealfile', join(root, 'src/index.ts')]])
}

async function bundle(code: string, loader: 'ts' | 'js', outfile: string): Promise<void> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const common = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'silent' } as const
  await build({
    ...common,
    stdin: { contents: code, loader, resolveDir: root },
    alias: aliases(root),
    external: ['@napi-rs/keyring'],
    outfile,
  })
  await build({ ...common, entryPoints: [join(root, 'src/keys/argon2-worker.js')], outfile: join(outfile, '../argon2-worker.js') })
  await build({ ...common, entryPoints: [join(root, 'src/batch/batch-worker.ts')], outfile: join(outfile, '../batch-worker.js') })
}

describe.each(DOCUMENTS)('the examples of %s', (path) => {
  test('run, and print what they say', async () => {
    const code = joinBlocks(runnable(path))
    const name = path.replaceAll('/', '-')
    const program = join(folder, name, 'program.mjs')
    const cwd = join(folder, name, 'cwd')
    mkdirSync(cwd, { recursive: true })
    await bundle(code, FOR_ALL.includes(path) ? 'js' : 'ts', program)
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], {
      cwd,
      encoding: 'utf8',
      env: { ...process.env, PASSPHRASE: 'correct horse battery staple' },
      timeout: 60_000,
    })
    expect(stderr).toBe('')
    expect(stdout.split('\n').slice(0, -1)).toEqual([...code.matchAll(PRINTED)].map((match) => match[1]))
    expect(status).toBe(0)
    expect(readdirSync(cwd).filter((file) => file.endsWith('.sealfile-lock'))).toEqual([])
  })
})

describe.each(documents())('the blocks of %s', (path) => {
  const idle = fencedBlocks(readDocument(path)).filter(({ language, code }) => language !== 'ts' || REASON.test(code))
  const programs = idle.filter(({ language }) => !DATA.includes(language) && !(language === 'sh' && SHELL_ELSEWHERE.includes(path)))

  for (const { language, code } of programs) {
    const [, reason] = REASON.exec(code) ?? []
    test(`${language}, not run: ${reason ?? 'no reason'}`, () => expect(reason, code).toBeDefined())
  }

  test('that stand in the text are no commands but known ones', () => {
    const commands = indentedLines(readDocument(path)).filter((line) =>
      /^(?:\.?\/?[\w./-]+=\S+ )*(?:npm|npx|node|sealfile|curl|git|\.ci)\b/.test(line),
    )
    expect(commands.filter((line) => ![...COMMANDS.keys()].some((known) => line.startsWith(known)))).toEqual([])
  })
})

test('there are documents, and programs in most of them', () => {
  expect(DOCUMENTS).toContain('README.md')
  expect(DOCUMENTS.length).toBeGreaterThan(14)
})

test('blocks become one program', () => {
  const joined = joinBlocks(["import { a, b } from 'x'\n\nb(a)\n", "import { b, c } from 'x'\nimport { d } from 'y'\nc(d)\n"])
  expect(joined).toBe("import { a, b, c } from 'x'\n\nimport { d } from 'y'\n\n\nb(a)\n\nc(d)\n")
})
