import { describe, expect, test } from 'vitest'
import { findErrorPaths, isCovered, type FileCoverage } from './error-paths.js'

describe('places of errors', () => {
  test.each([
    ["if (a) throw new Error('b')", 1],
    ["const f = () => new LockedError('b')", 1],
    ['return x ?? invalidArgType("a", "b", c)', 1],
    ['try { a() } catch { b() }', 1],
    ['try { a() } catch {}', 0],
    ['try { a() } catch { /* nothing */ }', 0],
    ['class LockedError extends SealfileError {}', 0],
    ['new Thing()', 0],
    ['throw a\nthrow b', 2],
  ])('%s', (text, count) => {
    expect(findErrorPaths('a.ts', text)).toHaveLength(count)
  })

  test('are told by line and column', () => {
    expect(findErrorPaths('a.ts', 'a()\n  throw b\n')).toEqual([{ line: 2, column: 2, text: 'throw b' }])
  })
})

describe('a place is covered', () => {
  const range = (from: number, to: number) => ({ start: { line: 1, column: from }, end: { line: 1, column: to } })
  const NONE: FileCoverage = { statementMap: {}, fnMap: {}, branchMap: {}, s: {}, f: {}, b: {} }
  const at = { line: 1, column: 5 }

  test('by the statement that is the closest around it', () => {
    const statementMap = { 0: range(0, 20), 1: range(4, 8) }
    expect(isCovered(at, { ...NONE, statementMap, s: { 0: 1, 1: 0 } })).toBe(false)
    expect(isCovered(at, { ...NONE, statementMap, s: { 0: 0, 1: 1 } })).toBe(true)
  })

  test('only if its branch and its function are, too', () => {
    const some = { ...NONE, statementMap: { 0: range(0, 20) }, s: { 0: 1 } }
    const branchMap = { 0: { locations: [range(0, 4), range(4, 9)] } }
    expect(isCovered(at, { ...some, branchMap, b: { 0: [3, 0] } })).toBe(false)
    expect(isCovered(at, { ...some, branchMap, b: { 0: [0, 3] } })).toBe(true)
    expect(isCovered(at, { ...some, fnMap: { 0: { loc: range(3, 9) } }, f: { 0: 0 } })).toBe(false)
  })

  test('by a statement that goes on to the end of its line', () => {
    const toTheEnd = { start: { line: 1, column: 4 }, end: { line: 1, column: null } }
    const statementMap = { 0: { start: { line: 1, column: 0 }, end: { line: 1, column: null } }, 1: toTheEnd }
    expect(isCovered(at, { ...NONE, statementMap, s: { 0: 0, 1: 1 } })).toBe(true)
    expect(isCovered(at, { ...NONE, statementMap, s: { 0: 1, 1: 0 } })).toBe(false)
  })

  test('not where nothing is known of it', () => {
    expect(isCovered(at, NONE)).toBe(false)
  })
})
