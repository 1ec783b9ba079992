import process from 'node:process'
import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin'

/**
 * @typedef {object} Node
 * @property {string} type
 * @property {string} [name]
 * @property {unknown} [value]
 * @property {Node} [callee]
 */

/** Messages may change, and no test holds them: only what an error is. */
const messages = declareValuePlugin(PluginKind.Ignore, 'error-messages', {
  shouldIgnore(path) {
    const { node, parent } = /** @type {{ node: Node, parent?: Node }} */ (/** @type {unknown} */ (path))
    if (!['StringLiteral', 'TemplateLiteral'].includes(node.type) || parent?.type !== 'NewExpression') return undefined
    const isMessage = parent.callee?.name?.endsWith('Error') === true && !String(node.value).startsWith('ERR_')
    return isMessage ? 'the message of an error' : undefined
  },
})

export const strykerPlugins = [messages]

/** One layer alone, for a shorter run: `LAYER=container npm run mutation`. */
const layers = process.env['LAYER'] ?? '{seal,container}'

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: [`src/${layers}/**/*.ts`],
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutation.vitest.config.ts', related: false },
  plugins: ['@stryker-mutator/vitest-runner', './stryker.config.js'],
  ignorers: ['error-messages'],
  concurrency: 2,
  timeoutMS: 20_000,
  ignorePatterns: ['dist', 'coverage', 'demo', 'bench', 'reports'],
  incremental: true,
  incrementalFile: 'reports/stryker-incremental.json',
  reporters: ['clear-text', 'progress', 'html'],
  htmlReporter: { fileName: 'reports/mutation.html' },
  clearTextReporter: { allowColor: false, reportTests: false },
  thresholds: { high: 95, low: 90, break: 90 },
}
