import { median, verdictOf, type Ceiling, type Comparison, type Measurement } from '../findings.js'
import { formatDuration, formatNumber } from './numbers.js'

/** Findings as Markdown. */

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [head, head.map(() => '---'), ...rows].map(line).join('\n')
}

export function comparisonTable(comparisons: readonly Comparison[]): string {
  return table(
    ['what', 'ratio', 'slowest to fastest', 'wanted', '', 'ours and the baseline, median'],
    comparisons.map((comparison) => {
      const { what, ours, baseline, speedRatios, oursMs, baselineMs, target } = comparison
      return [
        what,
        median(speedRatios).toFixed(2),
        `${Math.min(...speedRatios).toFixed(2)} to ${Math.max(...speedRatios).toFixed(2)}`,
        target === 0 ? '–' : target.toFixed(2),
        verdictOf(comparison),
        `${ours} ${formatDuration(oursMs)}, ${baseline} ${formatDuration(baselineMs)}`,
      ]
    }),
  )
}

export function ceilingTable(ceilings: readonly Ceiling[]): string {
  return table(
    ['what', 'at most', 'wanted', ''],
    ceilings.map((ceiling) => [
      ceiling.what,
      `${ceiling.value.toFixed(1)} ${ceiling.unit}`,
      formatNumber(ceiling.wanted),
      verdictOf(ceiling),
    ]),
  )
}

function cell(values: readonly number[] | undefined): string {
  if (values === undefined) return '–'
  const middle = formatNumber(median(values))
  if (values.length === 1) return middle
  return `${middle} (${formatNumber(Math.min(...values))} to ${formatNumber(Math.max(...values))})`
}

/** @param rowTitle - Above the names of the rows. */
export function measurementTable(
  measurements: readonly Measurement[],
  rowTitle: string,
  formatRow: (row: number) => string,
): string {
  const rows = [...new Set(measurements.map(({ row }) => row))]
  const columns = [...new Set(measurements.map(({ column }) => column))]
  const valuesOf = (row: string | number, column: string): readonly number[] | undefined =>
    measurements.find((one) => one.row === row && one.column === column)?.values
  return table(
    [rowTitle, ...columns],
    rows.map((row) => [typeof row === 'number' ? formatRow(row) : row, ...columns.map((column) => cell(valuesOf(row, column)))]),
  )
}
