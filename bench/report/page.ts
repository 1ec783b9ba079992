/** A page that people write, with sections in it that a program writes. */

const BEGIN = /^<!-- generated: ([\w-]+) -->$/
const END = '<!-- end -->'

/** What stands in a section whose bench has not been run yet. */
export const NOT_MEASURED = 'Not measured yet.'

/**
 * @returns the content of each section, by its name, without the markers.
 * @throws Error for markers that do not come in pairs, and for a name that comes twice.
 */
export function readSections(page: string): Map<string, string> {
  const sections = new Map<string, string>()
  let name: string | undefined
  let lines: string[] = []
  for (const line of page.split('\n')) {
    const begun = BEGIN.exec(line)?.[1]
    if (begun !== undefined) {
      if (name !== undefined) throw new Error(`the section ${name} has no end`)
      if (sections.has(begun)) throw new Error(`there are two sections ${begun}`)
      name = begun
      lines = []
    } else if (line === END) {
      if (name === undefined) throw new Error('there is an end without a section')
      sections.set(name, lines.join('\n').trim())
      name = undefined
    } else if (name !== undefined) {
      lines.push(line)
    }
  }
  if (name !== undefined) throw new Error(`the section ${name} has no end`)
  return sections
}

/**
 * @param contents - New content, by the names of sections. All others, and what is between them, stay as they are.
 * @throws Error for a section that the page does not have.
 */
export function replaceSections(page: string, contents: ReadonlyMap<string, string>): string {
  const known = readSections(page)
  let replaced = page
  for (const [name, content] of contents) {
    if (!known.has(name)) throw new Error(`the page has no section ${name}`)
    const begin = `<!-- generated: ${name} -->\n`
    const from = replaced.indexOf(begin) + begin.length
    const to = replaced.indexOf(END, from)
    replaced = `${replaced.slice(0, from)}\n${content}\n\n${replaced.slice(to)}`
  }
  return replaced
}
