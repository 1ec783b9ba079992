import { expect, test } from 'vitest'
import { PackageMissingError } from '../../src/errors.js'
import { loadOptionalPackage } from '../../src/keys/optional-package.js'
import { coded } from './support.js'

test('a package that is there is what it exports', async () => {
  expect(await loadOptionalPackage('yaml', () => import('yaml'), 'a test')).toBe(await import('yaml'))
})

test.each([
  ['that is not there', 'no-such-package-of-ours', 'ERR_MODULE_NOT_FOUND'],
  ['that is broken', 'data:text/javascript,throw Object.assign(new Error("broken"), { code: "BROKEN" })', 'BROKEN'],
])('one %s is named, with who needs it and what went wrong', async (_, address, code) => {
  const loading = loadOptionalPackage('the-package', () => import(/* @vite-ignore */ address) as Promise<unknown>, 'a test')
  const error: unknown = await loading.catch((error: unknown) => error)
  expect(error).toEqual(coded(PackageMissingError, 'ERR_SEALFILE_PACKAGE_MISSING'))
  expect((error as Error).message).toMatch(/^a test needs the package 'the-package'.*npm install the-package$/)
  expect((error as Error).cause).toMatchObject({ code })
})
