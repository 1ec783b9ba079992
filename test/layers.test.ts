import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

/** From the bottom up: a module imports from its own layer and from those before it. */
const LAYERS = ['errors', 'bytes', 'seal', 'container', 'file', 'keys', 'config', 'providers', 'compat', 'fs', 'batch', 'cli']
/** The modules of the first layer, which has no folder. */
const ROOT_MODULES = ['errors.ts', 'argument-errors.ts', 'audit-channels.ts']
/** These may import anything, and nothing imports them. */
const ENTRY_POINTS = ['index.ts', 'fs.ts', 'providers.ts', 'compat.ts', 'batch.ts', 'config.ts', 'passphrase-policy.ts', 'cli.ts']

const WITHOUT_FILES = ['errors', 'bytes', 'seal', 'container']
const FILE_MODULE = /^(node:)?fs(\/promises)?$/

const RANDOM_MODULE = 'bytes/random.ts'
const RANDOM_NAMES = new Set([
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'getRandomValues',
  'pseudoRandomBytes',
  'generateKey',
  'generateKeySync',
])

/** @returns the rank of a module's layer, or undefined where it is in none. */
function layerOf(path: string): number | undefined {
  const folder = path.includes('/') ? path.slice(0, path.indexOf('/')) : undefined
  if (folder === undefined) return ROOT_MODULES.includes(path) ? 0 : undefined
  const rank = LAYERS.indexOf(folder)
  return rank > 0 ? rank : undefined
}

/** All that a module refers to: static and dynamic imports, re-exports, types, and workers named by URL. */
function importsOf(source: ts.SourceFile): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) add(node.moduleSpecifier)
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal)
    if (
      ts.isCallExpression(node) &&
      (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require')
    ) {
      add(node.arguments[0])
    }
    if (ts.isNewExpression(node) && node.expression.getText() === 'URL' && node.arguments?.[1]?.getText() === 'import.meta.url') {
      add(node.arguments[0])
    }
    ts.forEachChild(node, visit)
  }
  const add = (specifier: ts.Node | undefined): void => {
    found.push(specifier && ts.isStringLiteralLike(specifier) ? specifier.text : '(not a literal)')
  }
  visit(source)
  return found
}

/** @returns the names by which a module takes randomness from anywhere but bytes/random.ts. */
function randomnessOf(source: ts.SourceFile): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier) && !node.moduleSpecifier.text.startsWith('.')) {
      const bindings = node.importClause?.namedBindings
      if (bindings && ts.isNamedImports(bindings)) {
        for (const { name, propertyName } of bindings.elements) check((propertyName ?? name).text)
      }
    }
    if (ts.isBindingElement(node)) check((node.propertyName ?? node.name).getText())
    if (ts.isPropertyAccessExpression(node)) {
      check(node.name.text)
      if (node.getText() === 'Math.random') found.push('Math.random')
    }
    ts.forEachChild(node, visit)
  }
  const check = (name: string): void => {
    if (RANDOM_NAMES.has(name)) found.push(name)
  }
  visit(source)
  return found
}

/** @returns a line for each breach of the rule of layers by the module at `path` (within src/). */
function breachesOf(path: string, text: string): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true)
  const breaches = path === RANDOM_MODULE ? [] : randomnessOf(source).map((name) => `${path} takes randomness: ${name}`)
  if (ENTRY_POINTS.includes(path)) return breaches
  const layer = layerOf(path)
  if (layer === undefined) return [...breaches, `${path} is in no layer`]
  for (const specifier of importsOf(source)) {
    if (specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
      const targetLayer = layerOf(target)
      if (targetLayer === undefined || targetLayer > layer) breaches.push(`${path} imports ${target}`)
    } else if (specifier === '(not a literal)' || (WITHOUT_FILES.includes(LAYERS[layer]!) && FILE_MODULE.test(specifier))) {
      breaches.push(`${path} imports ${specifier}`)
    }
  }
  return breaches
}

const ROOT = new URL('../src/', import.meta.url)
const MODULES = readdirSync(ROOT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => posix.relative(ROOT.pathname, posix.join(entry.parentPath, entry.name)))
  .sort()

test('there are modules in src/, and nothing else', () => {
  expect(MODULES).toContain(RANDOM_MODULE)
  expect(MODULES).toContain('seal/schedule.ts')
  expect(MODULES.filter((path) => !/\.[jt]s$/.test(path))).toEqual([])
})

test.each(MODULES)('%s keeps to its layer', (path) => {
  expect(breachesOf(path, readFileSync(new URL(path, ROOT), 'utf8'))).toEqual([])
})

describe('the rule itself', () => {
  test.each([
    ['seal/a.ts', "import { u64 } from '../bytes/integers.js'"],
    ['seal/a.ts', "import { b } from './b.js'"],
    ['bytes/a.ts', "import { SealfileError } from '../errors.js'"],
    ['bytes/random.ts', "import { randomFillSync } from 'node:crypto'"],
    ['keys/a.ts', "import { randomBytes } from '../bytes/random.js'\nrandomBytes(32)"],
    ['file/a.ts', "import { open } from 'node:fs/promises'"],
    ['cli/deep/a.ts', "import { b } from '../../batch/pool.js'\nimport { c } from '../c.js'"],
    ['batch/pool.ts', "new Worker(new URL('./worker.js', import.meta.url))"],
    ['index.ts', "export * from './cli/main.js'"],
  ])('allows in %s: %s', (path, text) => {
    expect(breachesOf(path, text)).toEqual([])
  })

  test.each([
    ['bytes/a.ts', "import { encode } from '../seal/kdf.js'"],
    ['bytes/a.ts', "import type { Kdf } from '../seal/suites.js'"],
    ['bytes/a.ts', "let a: import('../seal/suites.js').Kdf"],
    ['seal/a.ts', "export { b } from '../container/b.js'"],
    ['seal/a.ts', "export * from '../container/b.js'"],
    ['seal/a.ts', "await import('../file/b.js')"],
    ['seal/a.ts', "import '../file/b.js'"],
    ['keys/a.ts', "new Worker(new URL('../batch/worker.js', import.meta.url))"],
    ['file/a.ts', 'await import(name)'],
    ['errors.ts', "import { u8 } from './bytes/integers.js'"],
    ['cli/a.ts', "import { open } from '../index.js'"],
    ['cli/a.ts', "import { b } from '../unknown/b.js'"],
    ['cli/a.ts', "import { b } from '../../test/b.js'"],
    ['unknown/a.ts', ''],
    ['helpers.ts', ''],
    ['seal/a.ts', "import { readFileSync } from 'node:fs'"],
    ['seal/a.ts', "import { open } from 'node:fs/promises'"],
    ['container/a.ts', "import fs from 'fs'"],
    ['bytes/a.ts', "import type { Stats } from 'node:fs'"],
    ['keys/a.ts', "import { randomBytes } from 'node:crypto'"],
    ['keys/a.ts', "import { randomBytes as fresh } from 'node:crypto'"],
    ['keys/a.ts', "import { randomBytes } from '@noble/hashes/utils.js'"],
    ['keys/a.ts', "import * as crypto from 'node:crypto'\ncrypto.randomFillSync(bytes)"],
    ['keys/a.ts', 'globalThis.crypto.getRandomValues(bytes)'],
    ['keys/a.ts', 'const { randomUUID } = crypto'],
    ['keys/a.ts', 'Math.random()'],
    ['index.ts', 'crypto.randomUUID()'],
  ])('refuses in %s: %s', (path, text) => {
    expect(breachesOf(path, text)).not.toEqual([])
  })
})
