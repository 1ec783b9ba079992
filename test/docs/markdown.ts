import { readFileSync } from 'node:fs'

/** What the tests of the documentation read out of it. */

const ROOT = new URL('../../', import.meta.url)

/** @param path - From the root of the repository. */
export function readDocument(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8')
}

/** @returns the fenced blocks of one language, in order. */
export function codeBlocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\S*)\n(.*?)^```$/gms)].filter((match) => match[1] === language).map((match) => match[2]!)
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
