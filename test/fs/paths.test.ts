import { constants } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { describe } from 'vitest'
import { inAllStyles, sameOnBoth, type Twin } from './twins.js'

/** Calls on a path: node:fs is the oracle. */

type Arguments = (twin: Twin) => readonly unknown[]

describe.each<[string, Arguments]>([
  ['a file', ({ at }) => [at('binary')]],
  ['an empty file', ({ at }) => [at('empty')]],
  ['text', ({ at }) => [at('text'), 'utf8']],
  ['text in hex', ({ at }) => [at('text'), { encoding: 'hex' }]],
  ['options with nothing in them', ({ at }) => [at('text'), { encoding: undefined, flag: undefined, signal: undefined }]],
  ['null for options', ({ at }) => [at('text'), null]],
  ['undefined for options', ({ at }) => [at('text'), undefined]],
  ['a Buffer for a path', ({ at }) => [Buffer.from(at('text'))]],
  ['bytes for a path', ({ at }) => [new Uint8Array(Buffer.from(at('text')))]],
  ['a URL for a path', ({ at }) => [pathToFileURL(at('text'))]],
  ['a link', ({ at }) => [at('link')]],
  ['a link that leads nowhere', ({ at }) => [at('dangling')]],
  ['no file', ({ at }) => [at('missing')]],
  ['no folder', ({ at }) => [at('missing/file')]],
  ['a folder', ({ at }) => [at('folder')]],
  ['something that is no folder', ({ at }) => [at('text/file')]],
  ['a flag that makes the file', ({ at }) => [at('new'), { flag: 'a+' }]],
  ['a flag that empties the file', ({ at }) => [at('text'), { flag: 'w+' }]],
  ['a flag that writes, too', ({ at }) => [at('text'), { flag: 'r+' }]],
  ['a flag that only writes', ({ at }) => [at('text'), { flag: 'a' }]],
  ['a number for a flag', ({ at }) => [at('text'), { flag: constants.O_RDONLY }]],
  ['an exclusive flag', ({ at }) => [at('text'), { flag: 'wx+' }]],
  ['an unknown flag', ({ at }) => [at('text'), { flag: 'q' }]],
  ['an aborted signal', ({ at }) => [at('text'), { signal: AbortSignal.abort('enough') }]],
  ['a signal that is none', ({ at }) => [at('text'), { signal: {} }]],
  ['an unknown encoding', ({ at }) => [at('text'), 'nonsense']],
  ['options that are none', ({ at }) => [at('text'), 7]],
  ['no path', () => []],
  ['a path that is none', () => [{}]],
  ['a path that is a fraction', () => [1.5]],
  ['a path with a null byte', ({ at }) => [at('te\0xt')]],
  ['a URL of another kind', () => [new URL('http://example.org/')]],
])('readFile of %s', (_, args) => inAllStyles('readFile', args))

describe.each(['writeFile', 'appendFile'])('%s', (name) => {
  describe.each<[string, Arguments]>([
    ['text to a file', ({ at }) => [at('binary'), 'new']],
    ['bytes to a file', ({ at }) => [at('binary'), Buffer.from('new')]],
    ['bytes of another kind', ({ at }) => [at('binary'), new Uint16Array([1, 2, 3]).subarray(1)]],
    ['a DataView', ({ at }) => [at('binary'), new DataView(new ArrayBuffer(4), 1)]],
    ['nothing to a file', ({ at }) => [at('text'), '']],
    ['to an empty file', ({ at }) => [at('empty'), 'new']],
    ['a new file', ({ at }) => [at('new'), 'new']],
    ['much', ({ at }) => [at('new'), Buffer.alloc(3 * 2 ** 20, 'much ')]],
    ['text in hex', ({ at }) => [at('new'), '616263', 'hex']],
    ['text in latin1', ({ at }) => [at('new'), 'grüße', { encoding: 'latin1' }]],
    ['with options that hold nothing', ({ at }) => [at('new'), 'x', { encoding: undefined, flag: undefined, mode: undefined }]],
    ['with null for options', ({ at }) => [at('new'), 'x', null]],
    ['with undefined for options', ({ at }) => [at('new'), 'x', undefined]],
    ['with a mode', ({ at }) => [at('new'), 'x', { mode: 0o640 }]],
    ['with a mode in octal', ({ at }) => [at('new'), 'x', { mode: '0600' }]],
    ['with the mode of another file', ({ at, fs }) => [at('new'), 'x', { mode: fs.statSync(at('text')).mode }]],
    ['with a mode, over a file', ({ at }) => [at('text'), 'x', { mode: 0o600 }]],
    ['with flush', ({ at }) => [at('text'), 'x', { flush: true }]],
    ['with the flag r+', ({ at }) => [at('text'), 'X', { flag: 'r+' }]],
    ['with the flag a', ({ at }) => [at('text'), 'X', { flag: 'a' }]],
    ['with the flag w', ({ at }) => [at('text'), 'X', { flag: 'w' }]],
    ['with the flag wx', ({ at }) => [at('text'), 'X', { flag: 'wx' }]],
    ['with the flag ax, a new file', ({ at }) => [at('new'), 'X', { flag: 'ax' }]],
    ['with the flag r', ({ at }) => [at('text'), 'X', { flag: 'r' }]],
    ['with a number for a flag', ({ at }) => [at('text'), 'X', { flag: constants.O_WRONLY | constants.O_TRUNC }]],
    ['through a link', ({ at }) => [at('link'), 'new']],
    ['through a link that leads nowhere', ({ at }) => [at('dangling'), 'new']],
    ['in no folder', ({ at }) => [at('missing/file'), 'new']],
    ['a folder', ({ at }) => [at('folder'), 'new']],
    ['below a file', ({ at }) => [at('text/file'), 'new']],
    ['with an aborted signal', ({ at }) => [at('text'), 'new', { signal: AbortSignal.abort() }]],
    ['no data', ({ at }) => [at('text')]],
    ['a number', ({ at }) => [at('text'), 7]],
    ['an object', ({ at }) => [at('text'), {}]],
    ['with a mode that is none', ({ at }) => [at('text'), 'x', { mode: '9' }]],
    ['with a mode that is too large', ({ at }) => [at('text'), 'x', { mode: 2 ** 32 }]],
    ['with a flush that is none', ({ at }) => [at('text'), 'x', { flush: 'yes' }]],
    ['with an unknown flag', ({ at }) => [at('text'), 'x', { flag: 'q' }]],
    ['with an unknown encoding', ({ at }) => [at('text'), 'x', 'nonsense']],
  ])('%s', (_, args) => inAllStyles(name, args))
})

describe.each<[string, Arguments]>([
  ['to a length', ({ at }) => [at('binary'), 5_000]],
  ['to nothing', ({ at }) => [at('binary'), 0]],
  ['without a length', ({ at }) => [at('binary')]],
  ['with undefined for a length', ({ at }) => [at('binary'), undefined]],
  ['to more', ({ at }) => [at('text'), 20_000]],
  ['to less than nothing', ({ at }) => [at('text'), -1]],
  ['an empty file', ({ at }) => [at('empty'), 3]],
  ['through a link', ({ at }) => [at('link'), 3]],
  ['no file', ({ at }) => [at('missing'), 3]],
  ['a folder', ({ at }) => [at('folder'), 3]],
  ['to a fraction', ({ at }) => [at('text'), 1.5]],
  ['to text', ({ at }) => [at('text'), '1']],
  ['no path', () => [undefined, 3]],
])('truncate %s', (_, args) => inAllStyles('truncate', args))

describe.each(['stat', 'lstat'])('%s', (name) => {
  describe.each<[string, Arguments]>([
    ['of a file', ({ at }) => [at('binary')]],
    ['of a file, in bigints', ({ at }) => [at('binary'), { bigint: true }]],
    ['of an empty file', ({ at }) => [at('empty')]],
    ['of a folder', ({ at }) => [at('folder'), { bigint: false }]],
    ['of a link', ({ at }) => [at('link')]],
    ['of a link that leads nowhere', ({ at }) => [at('dangling')]],
    ['of no file', ({ at }) => [at('missing')]],
    ['of no file, for an answer', ({ at }) => [at('missing'), { throwIfNoEntry: false }]],
    ['of a device', () => ['/dev/null']],
    ['with options that hold nothing', ({ at }) => [at('binary'), { bigint: undefined, throwIfNoEntry: undefined }]],
    ['with undefined for options', ({ at }) => [at('binary'), undefined]],
    ['of a URL', ({ at }) => [pathToFileURL(at('binary'))]],
    ['of bytes', ({ at }) => [new Uint8Array(Buffer.from(at('binary')))]],
    ['of no path', () => []],
  ])('%s', (_, args) => inAllStyles(name, args))
})

describe.each<[string, Arguments]>([
  ['by name', ({ at }) => [at('.')]],
  ['with types', ({ at }) => [at('.'), { withFileTypes: true }]],
  ['with what is below', ({ at }) => [at('.'), { recursive: true }]],
  ['with types and what is below', ({ at }) => [at('.'), { recursive: true, withFileTypes: true }]],
  ['as bytes', ({ at }) => [at('.'), 'buffer']],
  ['as bytes, with types', ({ at }) => [at('.'), { encoding: 'buffer', withFileTypes: true }]],
  ['in hex', ({ at }) => [at('.'), 'hex']],
  ['of an empty folder', ({ at }) => [at('folder/hollow')]],
  ['of a file', ({ at }) => [at('text')]],
  ['of no folder', ({ at }) => [at('missing')]],
  ['of no path', () => []],
])('readdir %s', (_, args) => inAllStyles('readdir', args))

describe.each<[string, Arguments]>([
  ['to a new file', ({ at }) => [at('binary'), at('new')]],
  ['over a file', ({ at }) => [at('binary'), at('text')]],
  ['an empty file', ({ at }) => [at('empty'), at('new')]],
  ['to a new file alone', ({ at }) => [at('binary'), at('new'), constants.COPYFILE_EXCL]],
  ['over a file that must not be there', ({ at }) => [at('binary'), at('text'), constants.COPYFILE_EXCL]],
  ['over itself', ({ at }) => [at('binary'), at('binary')]],
  ['over itself by way of a link', ({ at }) => [at('text'), at('link')]],
  ['over itself, which must not be there', ({ at }) => [at('binary'), at('binary'), constants.COPYFILE_EXCL]],
  ['from a link', ({ at }) => [at('link'), at('new')]],
  ['to a link', ({ at }) => [at('binary'), at('link')]],
  ['to a link that leads nowhere', ({ at }) => [at('binary'), at('dangling')]],
  ['with as good as no mode', ({ at }) => [at('binary'), at('new'), undefined]],
  ['as a clone, if that can be', ({ at }) => [at('binary'), at('new'), constants.COPYFILE_FICLONE]],
  ['from no file', ({ at }) => [at('missing'), at('new')]],
  ['to no folder', ({ at }) => [at('text'), at('missing/new')]],
  ['from a folder', ({ at }) => [at('folder'), at('new')]],
  ['to a folder', ({ at }) => [at('text'), at('folder')]],
  ['a URL', ({ at }) => [pathToFileURL(at('text')), pathToFileURL(at('new'))]],
  ['with a mode that is none', ({ at }) => [at('text'), at('new'), 8]],
  ['with text for a mode', ({ at }) => [at('text'), at('new'), '1']],
  ['from no path', () => []],
  ['to no path', ({ at }) => [at('text')]],
])('copyFile %s', (_, args) => inAllStyles('copyFile', args))

describe('copyFile copies permissions', () => {
  for (const mode of [0o600, 0o444, 0o777, 0o2640]) {
    sameOnBoth(`${mode.toString(8)} to a new file, and over another`, async ({ fs, at }) => {
      fs.chmodSync(at('text'), mode)
      fs.copyFileSync(at('text'), at('new'))
      await fs.promises.copyFile(at('text'), at('binary'))
      fs.copyFileSync(at('new'), at('third'), constants.COPYFILE_EXCL)
    })
  }
})

describe('what is not about contents', () => {
  sameOnBoth('is done by node:fs', async ({ fs, at, call }) => {
    fs.renameSync(at('text'), at('moved'))
    await fs.promises.rename(at('binary'), at('folder/binary'))
    const results = [
      await call('access', at('moved')),
      await call('rename', at('moved'), at('moved again')),
      await call('chmod', at('moved again'), 0o600),
      await call('mkdir', at('made/deep'), { recursive: true }),
      await call('link', at('empty'), at('made/hard')),
      await call('symlink', '../empty', at('made/soft')),
      await call('readlink', at('made/soft')),
      await call('realpath', at('made/soft')),
      await call('unlink', at('empty')),
      await call('rmdir', at('folder/hollow')),
      await call('rm', at('link')),
      await call('exists', at('link')),
      await call('unlink', at('missing')),
      await call('rmdir', at('folder')),
    ]
    fs.utimesSync(at('moved again'), 1, 2)
    return [results, fs.existsSync(at('folder')), fs.statSync(at('moved again')).mtimeMs, fs.readFileSync(at('folder/binary'))]
  })
})
