import { readdirSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import * as sealfile from '../../src/index.js'
import { readDocument } from './markdown.js'

const documentation = readDocument('docs/errors.md')

/** The members of the union of codes. */
function codesInSource(): string[] {
  const source = ts.createSourceFile('errors.ts', readDocument('src/errors.ts'), ts.ScriptTarget.ESNext, true)
  const union = source.statements.find((node) => ts.isTypeAliasDeclaration(node) && node.name.text === 'SealfileErrorCode')
  if (union === undefined || !ts.isTypeAliasDeclaration(union) || !ts.isUnionTypeNode(union.type))
    throw new Error('no union of codes')
  return union.type.types.map((member) => {
    if (!ts.isLiteralTypeNode(member) || !ts.isStringLiteral(member.literal)) throw new Error(`not a code: ${member.getText()}`)
    return member.literal.text
  })
}

interface Row {
  readonly code: string
  readonly className: string
}

/** The rows of all tables whose first two columns are a code and a class. */
function rowsOf(markdown: string): Row[] {
  return [...markdown.matchAll(/^\| `([A-Z_]+)`\s*\| `(\w+)`\s*\|/gm)].map(([, code, className]) => ({
    code: code!,
    className: className!,
  }))
}

const rows = rowsOf(documentation)
const isOurs = ({ code }: Row): boolean => code.startsWith('ERR_SEALFILE_')

test('every code has one row, and every row is a code', () => {
  const codes = codesInSource()
  expect(codes.length).toBeGreaterThan(10)
  expect(
    rows
      .filter(isOurs)
      .map((row) => row.code)
      .sort(),
  ).toEqual([...codes].sort())
})

test('every code has a section, in the order of the table', () => {
  const sections = [...documentation.matchAll(/^### (\w+)$/gm)].map(([, code]) => code!)
  expect(sections).toEqual(rows.filter(isOurs).map((row) => row.code))
})

describe('a row names a class of the library', () => {
  const exported = new Map<string, unknown>(Object.entries(sealfile))
  test.each(rows.filter(isOurs))('$code: $className', ({ className }) => {
    const found = exported.get(className)
    expect(found).toBeTypeOf('function')
    expect((found as typeof sealfile.SealfileError).prototype).toBeInstanceOf(sealfile.SealfileError)
  })
})

test('codes elsewhere in the documentation exist', () => {
  const known = new Set(codesInSource())
  for (const path of [
    'README.md',
    'docs/errors.md',
    'docs/file-api.md',
    'docs/threat-model.md',
    'docs/keyring.md',
    'docs/key-providers.md',
  ]) {
    for (const [code] of readDocument(path).matchAll(/ERR_SEALFILE_[A-Z_]+/g)) expect(known, `${path}: ${code}`).toContain(code)
  }
})

test("Node's codes that the sources use are there", () => {
  const documented = rows.filter((row) => !isOurs(row)).map((row) => row.code)
  const sources = readdirSync(new URL('../../src/', import.meta.url), { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  )
  const used = sources.flatMap((path) => [
    ...readDocument(`src/${path}`).matchAll(/'(ERR_(?!SEALFILE|CRYPTO)[A-Z_]+|ABORT_ERR)'|(?:systemError\(|code: )'(E[A-Z]+)'/g),
  ])
  expect(new Set(documented)).toEqual(new Set(used.map(([, own, system]) => own ?? system!)))
})
