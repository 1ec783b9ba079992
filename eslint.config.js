import js from '@eslint/js'
import { defineConfig } from 'eslint/config'
import tsdoc from 'eslint-plugin-tsdoc'
import tseslint from 'typescript-eslint'

export default defineConfig(
  { ignores: ['test/smoke/', 'dist/', 'bench/build/', 'coverage/', 'docs-site/', 'reports/', '.stryker-tmp/', 'test/*/build/'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { tsdoc },
    rules: {
      'tsdoc/syntax': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    // TSDoc is for TypeScript; plain JavaScript keeps its types in JSDoc, and tsc tells what is not defined.
    files: ['**/*.{js,mjs,cjs}'],
    rules: { 'tsdoc/syntax': 'off', 'no-undef': 'off' },
  },
)
