import ts from 'typescript'

/** A place in a source, counted as coverage reports count: lines from 1, columns from 0. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface Range {
  readonly start: Position
  /** Without a column it goes on to the end of the line. */
  readonly end: { readonly line: number; readonly column: number | null }
}

/** What is used of one file's coverage, in Istanbul's form. */
export interface FileCoverage {
  readonly statementMap: Readonly<Record<string, Range>>
  readonly fnMap: Readonly<Record<string, { readonly loc: Range }>>
  readonly branchMap: Readonly<Record<string, { readonly locations: readonly Range[] }>>
  readonly s: Readonly<Record<string, number>>
  readonly f: Readonly<Record<string, number>>
  readonly b: Readonly<Record<string, readonly number[]>>
}

/** Where a source makes an error, throws one, or deals with one. */
export interface ErrorPath extends Position {
  /** The line, without white space around it. */
  readonly text: string
}

const LONGEST_LINE = 10_000

/** The makers of errors that are functions (src/argument-errors.ts and their like). */
const MAKERS = /^(?:new )?(?:\w*Error|invalid\w+|outOfRange)$/

/** @returns each `throw`, each call that makes an error, and the first statement of each `catch`. */
export function findErrorPaths(name: string, text: string): ErrorPath[] {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true)
  const lines = text.split('\n')
  const found: ErrorPath[] = []
  const add = (node: ts.Node): void => {
    const { line, character } = source.getLineAndCharacterOfPosition(node.getStart())
    if (found.some((path) => path.line === line + 1)) return
    found.push({ line: line + 1, column: character, text: lines[line]!.trim() })
  }
  const visit = (node: ts.Node): void => {
    const isMade = (ts.isNewExpression(node) || ts.isCallExpression(node)) && MAKERS.test(node.expression.getText())
    if (ts.isThrowStatement(node) || isMade) add(node)
    else if (ts.isCatchClause(node) && node.block.statements.length > 0) add(node.block.statements[0]!)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** Whether tests have come to a place: to the statement, the branch and the function that are the closest around it. */
export function isCovered({ line, column }: Position, coverage: FileCoverage): boolean {
  const { statementMap, fnMap, branchMap, s, f, b } = coverage
  const contains = ({ start, end }: Range): boolean =>
    (start.line < line || (start.line === line && start.column <= column)) &&
    (end.line > line || (end.line === line && columnOf(end) > column))
  const closest = (ranges: readonly { readonly range: Range; readonly count: number }[]): number | undefined =>
    ranges
      .filter(({ range }) => contains(range))
      .sort((x, y) => sizeOf(x.range) - sizeOf(y.range))
      .at(0)?.count
  const counts = [
    closest(Object.entries(statementMap).map(([id, range]) => ({ range, count: s[id]! }))),
    closest(Object.entries(fnMap).map(([id, { loc }]) => ({ range: loc, count: f[id]! }))),
    closest(
      Object.entries(branchMap).flatMap(([id, { locations }]) => locations.map((range, i) => ({ range, count: b[id]![i]! }))),
    ),
  ].filter((count) => count !== undefined)
  return counts.length > 0 && counts.every((count) => count > 0)
}

function columnOf({ column }: Range['end']): number {
  return column ?? LONGEST_LINE
}

function sizeOf({ start, end }: Range): number {
  return (end.line - start.line) * LONGEST_LINE + columnOf(end) - start.column
}
