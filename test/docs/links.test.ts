import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'
import { anchors, codeSpans, documents, readDocument, withoutCode } from './markdown.js'

const ROOT = new URL('../../', import.meta.url)
function linksOf(path: string): string[] {
  const text = withoutCode(readDocument(path)).replace(/`[^`\n]*`/g, '')
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
}

/** @returns what is wrong with a link, or undefined. */
function faultOf(link: string, from: string): string | undefined {
  if (/^https?:/.test(link)) return undefined
  const [target = '', anchor] = link.split('#')
  const path = target === '' ? from : posix.join(posix.dirname(from), target)
  if (!existsSync(new URL(path, ROOT))) return `${path} does not exist`
  if (anchor !== undefined && !anchors(readDocument(path)).includes(anchor)) return `${path} has no heading #${anchor}`
  return undefined
}

test('there are documents, with links', () => {
  expect(documents()).toContain('README.md')
  expect(documents()).toContain('docs/threat-model.md')
  expect(documents().flatMap(linksOf).length).toBeGreaterThan(20)
})

test('each page is in the table of contents', () => {
  const listed = linksOf('docs/README.md').map((link) => posix.join('docs', link))
  const pages = documents().filter((path) => path.startsWith('docs/') && path !== 'docs/README.md')
  expect(pages.filter((page) => !listed.includes(page))).toEqual([])
})

describe.each(documents())('%s', (path) => {
  test('links lead somewhere', () => {
    const faults = linksOf(path).map((link) => faultOf(link, path))
    expect(faults.filter((fault) => fault !== undefined)).toEqual([])
  })

  test('sources and tests that it names exist', () => {
    const named = codeSpans(readDocument(path)).filter((span) => /^(src|test|bench|demo)\/[\w./-]*$/.test(span))
    expect(named.filter((name) => !existsSync(new URL(name, ROOT)))).toEqual([])
  })
})

describe('the check itself', () => {
  test.each([
    ['docs/errors.md', 'README.md'],
    ['../SECURITY.md', 'docs/errors.md'],
    ['#keys', 'README.md'],
    ['keyring.md#choosing-the-cost', 'docs/errors.md'],
    ['https://example.org/', 'README.md'],
  ])('takes %s in %s', (link, from) => {
    expect(faultOf(link, from)).toBeUndefined()
  })

  test.each([
    ['docs/none.md', 'README.md'],
    ['errors.md', 'README.md'],
    ['#none', 'README.md'],
    ['keyring.md#none', 'docs/errors.md'],
  ])('finds fault with %s in %s', (link, from) => {
    expect(faultOf(link, from)).toBeDefined()
  })
})
