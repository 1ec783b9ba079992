import { median, type Findings } from '../findings.js'
import type { BenchResult, Machine } from '../results.js'
import type { Chart, Series } from './chart.js'
import { formatBytes, formatCount } from './numbers.js'
import { ceilingTable, comparisonTable, measurementTable } from './tables.js'

/** What of a bench stands in its section of the page. */

type ChartPlan = Omit<Chart, 'name' | 'series'> & {
  /** The end of those columns that are its series; their names are what is before it. Without it, the traces are. */
  readonly columns?: string
}

interface Layout {
  readonly rowTitle: string
  readonly formatRow: (row: number) => string
  readonly chart?: ChartPlan
}

const PLAIN: Layout = { rowTitle: '', formatRow: formatCount }

const LAYOUTS: Readonly<Record<string, Layout>> = {
  peers: {
    rowTitle: 'who',
    formatRow: formatCount,
    chart: {
      title: 'One file, read, encrypted or decrypted, and written',
      kind: 'bars',
      xTitle: '',
      yTitle: 'MiB/s',
      columns: ', MiB/s',
    },
  },
  'file-size': {
    rowTitle: 'size',
    formatRow: formatBytes,
    chart: {
      title: 'Time for one file, by its size',
      kind: 'lines',
      xTitle: 'size of the file',
      yTitle: 'ms',
      logarithmic: 'both',
      formatX: formatBytes,
      columns: ', ms',
    },
  },
  'segment-size': {
    rowTitle: 'segments',
    formatRow: formatBytes,
    chart: {
      title: 'Throughput, by the size of segments',
      kind: 'lines',
      xTitle: 'size of a segment',
      yTitle: 'MiB/s',
      logarithmic: 'x',
      formatX: formatBytes,
      columns: ', MiB/s',
    },
  },
  'file-count': {
    rowTitle: 'files',
    formatRow: formatCount,
    chart: {
      title: 'Time for each file of 4 KiB, by their number',
      kind: 'lines',
      xTitle: 'files',
      yTitle: 'µs per file',
      logarithmic: 'both',
      formatX: formatCount,
      columns: ', µs per file',
    },
  },
  'open-handles': { rowTitle: 'open files', formatRow: formatCount },
  memory: {
    ...PLAIN,
    chart: {
      title: 'Memory above the idle process while a file passes through',
      kind: 'lines',
      xTitle: 'GiB done',
      yTitle: 'MiB',
    },
  },
}

function seriesOf(findings: Findings, columns: string | undefined): Series[] {
  if (columns === undefined) return findings.traces.map(({ name, points }) => ({ name, points }))
  const chosen = findings.measurements.filter(({ column }) => column.endsWith(columns))
  return [...new Set(chosen.map(({ column }) => column))].map((column) => ({
    name: column.slice(0, -columns.length),
    points: chosen.filter((one) => one.column === column).map(({ row, values }) => [row, median(values)]),
  }))
}

/** @returns whether the section of a bench has a chart. */
export function hasChart(name: string): boolean {
  return LAYOUTS[name]?.chart !== undefined
}

/** @returns the chart of a bench, if it has one and anything for it was found. */
export function chartOf(name: string, findings: Findings): Chart | undefined {
  const plan = LAYOUTS[name]?.chart
  if (plan === undefined) return undefined
  const { columns, ...chart } = plan
  const series = seriesOf(findings, columns)
  return series.length === 0 ? undefined : { ...chart, name, series }
}

/** @returns where charts lie, beside the page. */
export function chartPath(name: string): string {
  return `benchmarks/${name}.svg`
}

/** @returns Markdown. */
export function renderSection(name: string, { date, machine, quick, findings }: BenchResult): string {
  const { comparisons, ceilings, measurements, omissions } = findings
  const { rowTitle, formatRow } = LAYOUTS[name] ?? PLAIN
  const chart = chartOf(name, findings)
  const parts: string[] = []
  if (chart !== undefined) parts.push(`![${chart.title}](${chartPath(chart.name)})`)
  if (measurements.length > 0) parts.push(measurementTable(measurements, rowTitle, formatRow))
  if (comparisons.length > 0) parts.push(comparisonTable(comparisons))
  if (ceilings.length > 0) parts.push(ceilingTable(ceilings))
  if (omissions.length > 0) parts.push(omissions.map(({ what, why }) => `- Left out: ${what}, as ${why}.`).join('\n'))
  parts.push(
    `${date}, Node ${machine.node}, ${machine.cores} x ${machine.cpu}${quick ? '; the quick form, with small files' : ''}.`,
  )
  return parts.join('\n\n')
}

/** @returns Markdown. */
export function renderMachine({ cpu, cores, memoryGiB, system, node, openssl }: Machine, date: string): string {
  return [
    '| machine | |',
    '| --- | --- |',
    `| processor | ${cores} x ${cpu} |`,
    `| memory | ${memoryGiB} GiB |`,
    `| system | ${system} |`,
    `| Node | ${node}, with OpenSSL ${openssl} |`,
    `| date | ${date} |`,
  ].join('\n')
}
