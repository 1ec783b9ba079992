import { Converter, ReflectionKind } from 'typedoc'

/**
 * Names in the site: an entry point has the name that it is imported by, and a page its own heading.
 *
 * @param {import('typedoc').Application} app
 */
function giveNames({ converter }) {
  converter.on(Converter.EVENT_CREATE_DECLARATION, (_context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return
    reflection.name = reflection.name === 'index' ? 'sealfile' : `sealfile/${reflection.name}`
  })
  converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, document) => {
    const text = document.content.map((part) => part.text).join('')
    document.name = /^# (.+)$/m.exec(text)?.[1] ?? document.name
  })
}

/** @type {Partial<import('typedoc').TypeDocOptions>} */
const config = {
  name: 'sealfile',
  entryPoints: [
    'src/index.ts',
    'src/fs.ts',
    'src/batch.ts',
    'src/compat.ts',
    'src/providers.ts',
    'src/passphrase-policy.ts',
    'src/config.ts',
  ],
  projectDocuments: ['docs/*.md', 'docs/examples/README.md', 'CHANGELOG.md', 'SECURITY.md'],
  plugin: [giveNames],
  out: 'docs-site',
  disableSources: true,
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  hideGenerator: true,
  highlightLanguages: ['typescript', 'javascript', 'json', 'jsonc', 'yaml', 'diff', 'shellscript', 'python'],
  ignoredHighlightLanguages: ['hex'],
  // Whatever it finds fault with fails: a public member without documentation, a link that leads nowhere.
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
  validation: { notExported: true, notDocumented: true, invalidLink: true, invalidPath: true, rewrittenLink: true },
  // Types of these constants are spelt out where they are used.
  intentionallyNotExported: ['ARGON2_PROFILES', 'LINUX_STORES'],
  // What each alternative of the union does not take.
  intentionallyNotDocumented: ['passphrase', 'recoveryKey', 'key', 'provider'].map((name) => `sealfile.Credential.__type.${name}`),
}

export default config
