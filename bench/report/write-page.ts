import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import type { Results } from '../results.js'
import { renderChart } from './chart.js'
import { readSections, replaceSections } from './page.js'
import { chartOf, chartPath, renderMachine, renderSection } from './sections.js'

const DOCS = new URL('../../docs/', import.meta.url)
const PAGE = new URL('benchmarks.md', DOCS)

/** The section that tells of the machine, which only a run of all benches replaces. */
export const MACHINE = 'machine'

/** @throws Error unless the page has a section for each of these benches. */
export function checkPage(names: readonly string[]): void {
  const known = readSections(readFileSync(PAGE, 'utf8'))
  const missing = names.filter((name) => !known.has(name))
  if (missing.length > 0) throw new Error(`docs/benchmarks.md has no section for ${missing.join(', ')}`)
}

/** Replaces the sections and the charts of the benches that have results. The rest of the page stays. */
export async function writePage(results: Results): Promise<void> {
  const page = readFileSync(PAGE, 'utf8')
  const contents = new Map(Object.entries(results).map(([name, result]) => [name, renderSection(name, result)]))
  const isComplete = [...readSections(page).keys()].every((name) => name === MACHINE || contents.has(name))
  const [last] = Object.values(results).slice(-1)
  if (isComplete && last !== undefined) contents.set(MACHINE, renderMachine(last.machine, last.date))
  const path = fileURLToPath(PAGE)
  writeFileSync(PAGE, await format(replaceSections(page, contents), { ...(await resolveConfig(path)), filepath: path }))
  mkdirSync(new URL('.', new URL(chartPath('any'), DOCS)), { recursive: true })
  for (const [name, { findings }] of Object.entries(results)) {
    const chart = chartOf(name, findings)
    if (chart !== undefined) writeFileSync(new URL(chartPath(chart.name), DOCS), renderChart(chart))
  }
}
