import { ConfigError } from '../errors.js'
import { loadOptionalPackage } from '../keys/optional-package.js'

/** Text to a tree of plain values. No message holds any of the text: a secret may be in it that does not belong there. */

/** Nodes within each other, as the yaml package counts them: two or so to a level. */
const MOST_NODES = 32

/** @throws ConfigError `ERR_SEALFILE_CONFIG`; PackageMissingError `ERR_SEALFILE_PACKAGE_MISSING` where YAML is read without `yaml`. */
export async function parseConfig(text: string, path: string): Promise<unknown> {
  return /\.ya?ml$/i.test(path) ? await parseYaml(text, path) : parseJson(text, path)
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const position = /at position (\d+)/.exec((error as Error).message)?.[1]
    const place = position === undefined ? '' : `, line ${text.slice(0, Number(position)).split('\n').length}`
    throw new ConfigError(`this is not JSON${place}`, { path })
  }
}

async function parseYaml(text: string, path: string): Promise<unknown> {
  const yaml = await loadOptionalPackage('yaml', () => import('yaml'), 'a configuration in YAML')
  const tooDeep = findTooDeep(yaml, text)
  if (tooDeep !== undefined) throw new ConfigError(`this is nested too deep, line ${tooDeep}`, { path })
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, {
    version: '1.2',
    schema: 'core',
    resolveKnownTags: false,
    merge: false,
    prettyErrors: false,
    lineCounter: lines,
  })
  const [fault] = [...document.errors, ...document.warnings]
  if (fault !== undefined) {
    const isTag = fault.code === 'TAG_RESOLVE_FAILED'
    const message = isTag ? 'tags are not allowed' : `this is not YAML that can be read (${fault.code})`
    throw new ConfigError(`${message}, line ${lines.linePos(fault.pos[0]).line}`, { path })
  }
  yaml.visit(document, {
    Alias() {
      throw new ConfigError('aliases are not allowed', { path })
    },
    Pair(_, { key }) {
      // The package would show what is in it, in a warning.
      if (!yaml.isScalar(key)) throw new ConfigError('a key that is no text is not allowed', { path })
    },
  })
  return document.toJS({ maxAliasCount: 0 })
}

/**
 * Looks for nesting before anything recurses: where the stack ends in a regular expression, V8 ends the whole process.
 *
 * @returns the line; undefined where all is well.
 */
function findTooDeep(yaml: typeof import('yaml'), text: string): number | undefined {
  const lines = new yaml.LineCounter()
  lines.addNewLine(0)
  const parser = new yaml.Parser(lines.addNewLine)
  for (const token of new yaml.Lexer().lex(text)) {
    Array.from(parser.next(token))
    if (parser.stack.length > MOST_NODES) return lines.linePos(parser.offset).line
  }
  return undefined
}
