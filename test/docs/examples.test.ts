import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, describe, expect, test } from 'vitest'
import { codeBlocks, readDocument } from './markdown.js'

/** Each of these is one program: a block may use what the blocks above it have declared. */
const DOCUMENTS = [
  ...['README.md', 'docs/file-api.md', 'docs/fs.md', 'docs/streams.md', 'docs/migration.md', 'docs/errors.md'],
  ...['docs/keys.md', 'docs/rotation.md', 'docs/key-providers.md', 'docs/batch.md', 'docs/packages.md', 'docs/configuration.md'],
]

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

async function bundle(code: string, outfile: string): Promise<void> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const common = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'silent' } as const
  await build({
    ...common,
    stdin: { contents: code, loader: 'ts', resolveDir: root },
    alias: {
      'sealfile/fs': join(root, 'src/fs.ts'),
      'sealfile/compat': join(root, 'src/compat.ts'),
      'sealfile/batch': join(root, 'src/batch.ts'),
      'sealfile/config': join(root, 'src/config.ts'),
      'sealfile/passphrase-policy': join(root, 'src/passphrase-policy.ts'),
      'sealfile/providers': join(root, 'src/providers.ts'),
      sealfile: join(root, 'src/index.ts'),
    },
    external: ['@napi-rs/keyring'],
    outfile,
  })
  await build({ ...common, entryPoints: [join(root, 'src/keys/argon2-worker.js')], outfile: join(outfile, '../argon2-worker.js') })
  await build({ ...common, entryPoints: [join(root, 'src/batch/batch-worker.ts')], outfile: join(outfile, '../batch-worker.js') })
}

describe.each(DOCUMENTS)('the examples of %s', (path) => {
  const blocks = codeBlocks(readDocument(path), 'ts')

  test('run, and print what they say', async () => {
    expect(blocks).not.toEqual([])
    const code = joinBlocks(blocks)
    const name = path.replaceAll('/', '-')
    const program = join(folder, name, 'program.mjs')
    const cwd = join(folder, name, 'cwd')
    mkdirSync(cwd, { recursive: true })
    await bundle(code, program)
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

test('blocks become one program', () => {
  const joined = joinBlocks(["import { a, b } from 'x'\n\nb(a)\n", "import { b, c } from 'x'\nimport { d } from 'y'\nc(d)\n"])
  expect(joined).toBe("import { a, b, c } from 'x'\n\nimport { d } from 'y'\n\n\nb(a)\n\nc(d)\n")
})
