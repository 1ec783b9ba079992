import { readdirSync, readFileSync } from 'node:fs'

/** What the tests of the documentation read out of it. */

const ROOT = new URL('../../', import.meta.url)

/** @param path - From the root of the repository. */
export function readDocument(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

/** @returns the documents of the repository, from its root. */
export function documents(): string[] {
  const inRoot = readdirSync(ROOT).filter((name) => name.endsWith('.md'))
  const inDocs = readdirSync(new URL('docs/', ROOT), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'))
  return [...inRoot, ...inDocs.map((name) => `docs/${name.replaceAll('\\', '/')}`)].sort()
}

/** A block between fences. */
export interface Block {
  /** What stands behind the fence, to the first blank; empty where nothing does. */
  readonly language: string
  readonly code: string
}

/** @returns the fenced blocks, in order. */
export function fencedBlocks(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\S*)[^\n]*\n(.*?)^```$/gms)].map(([, language, code]) => ({
    language: language!,
    code: code!,
  }))
}

/** @returns the lines of indented blocks, without what indents them. */
export function indentedLines(markdown: string): string[] {
  return [...markdown.replace(/^```.*?^```$/gms, '').matchAll(/^ {4}(.*)$/gm)].map(([, line]) => line!)
}

/** @returns the document without its code, in which links and headings mean nothing. */
export function withoutCode(markdown: string): string {
  return markdown.replace(/^```.*?^```$/gms, '').replace(/^ {4}.*$/gm, '')
}

/** @returns what is between single back-ticks. */
export function codeSpans(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!)
}

/** @returns the anchors of the headings, as the usual renderers make them. */
export function anchors(markdown: string): string[] {
  const seen = new Map<string, number>()
  return [...withoutCode(markdown).matchAll(/^#{1,6} (.+)$/gm)].map(([, title]) => {
    const anchor = title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-')
    const count = seen.get(anchor) ?? 0
    seen.set(anchor, count + 1)
    return count === 0 ? anchor : `${anchor}-${count}`
  })
}
