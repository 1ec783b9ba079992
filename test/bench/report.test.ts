import { existsSync, readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { countMissed, noFindings, verdictOf, type Comparison, type Findings } from '../../bench/findings.js'
import { benches } from '../../bench/main.js'
import { renderChart, type Chart } from '../../bench/report/chart.js'
import { formatBytes, formatDuration, formatNumber } from '../../bench/report/numbers.js'
import { NOT_MEASURED, readSections, replaceSections } from '../../bench/report/page.js'
import { chartOf, chartPath, hasChart, renderSection } from '../../bench/report/sections.js'
import { comparisonTable, measurementTable } from '../../bench/report/tables.js'
import { MACHINE } from '../../bench/report/write-page.js'
import { readDocument } from '../docs/markdown.js'

const page = '# Title\n\n<!-- generated: a -->\n\nold\n\n<!-- end -->\n\nBy hand.\n\n<!-- generated: b -->\n<!-- end -->\n'

const comparison = (ratios: number[], target: number): Comparison => {
  return { what: 'work', ours: 'us', baseline: 'them', speedRatios: ratios, oursMs: 12.345, baselineMs: 2_500, target }
}

describe('sections of a page', () => {
  test('are read without their markers', () => {
    expect([...readSections(page)]).toEqual([
      ['a', 'old'],
      ['b', ''],
    ])
  })

  test('are replaced one by one, and all else stays', () => {
    const replaced = replaceSections(page, new Map([['b', 'new $& `x`']]))
    expect([...readSections(replaced)]).toEqual([
      ['a', 'old'],
      ['b', 'new $& `x`'],
    ])
    expect(replaced).toContain('By hand.')
    expect(replaceSections(replaced, new Map([['b', '']])).replaceAll('\n', '')).toBe(page.replaceAll('\n', ''))
  })

  test.each([
    ['an end that is missing', '<!-- generated: a -->\n', 'no end'],
    ['a section within another', '<!-- generated: a -->\n<!-- generated: b -->\n<!-- end -->\n', 'no end'],
    ['an end alone', '<!-- end -->\n', 'without a section'],
    ['a name that comes twice', `${page}${page}`, 'two sections'],
  ])('%s is an error', (_name, text, message) => {
    expect(() => readSections(text)).toThrow(message)
  })

  test('that the page does not have cannot be replaced', () => {
    expect(() => replaceSections(page, new Map([['c', 'new']]))).toThrow('no section c')
  })
})

describe('tables', () => {
  test('say by how much a promise is missed', () => {
    expect(verdictOf(comparison([0.5, 0.75, 4], 1))).toBe('short by 25 %')
    expect(verdictOf(comparison([0.999], 1))).toBe('short by 1 %')
    expect(verdictOf(comparison([1], 1))).toBe('reached')
    expect(verdictOf(comparison([0.1], 0))).toBe('')
    expect(verdictOf({ what: 'memory', value: 36, wanted: 24, unit: 'MiB' })).toBe('over by 50 %')
    const table = comparisonTable([comparison([0.75, 0.5, 4], 1), comparison([0.1], 0)])
    expect(table.split('\n').slice(2)).toEqual([
      '| work | 0.75 | 0.50 to 4.00 | 1.00 | short by 25 % | us 12.3 ms, them 2.50 s |',
      '| work | 0.10 | 0.10 to 0.10 | – |  | us 12.3 ms, them 2.50 s |',
    ])
  })

  test('count what is missed, and nothing else', () => {
    const findings = { ...noFindings(), comparisons: [comparison([0.5], 1), comparison([2], 1), comparison([0.1], 0)] }
    expect(countMissed({ ...findings, ceilings: [{ what: 'memory', value: 25, wanted: 24, unit: 'MiB' }] })).toBe(2)
  })

  test('have a row and a column for each, and a dash for what is not there', () => {
    const table = measurementTable(
      [
        { row: 4_096, column: 'write', values: [3, 1, 2] },
        { row: 65_536, column: 'read', values: [0.12345] },
      ],
      'size',
      formatBytes,
    )
    expect(table.split('\n')).toEqual([
      '| size | write | read |',
      '| --- | --- | --- |',
      '| 4 KiB | 2 (1 to 3) | – |',
      '| 64 KiB | – | 0.123 |',
    ])
  })

  test('have numbers that people can read', () => {
    expect([1, 1_023, 1_536, 2 ** 33].map(formatBytes)).toEqual(['1 bytes', '1,023 bytes', '1.5 KiB', '8 GiB'])
    expect([0.012345, 12.345, 1_234.5].map(formatNumber)).toEqual(['0.0123', '12.3', '1,235'])
    expect([0.5, 999, 1_000].map(formatDuration)).toEqual(['0.5 ms', '999 ms', '1.00 s'])
  })
})

/** Whether every element of a document is closed, in the order in which it was opened. */
function isWellFormed(xml: string): boolean {
  const open: string[] = []
  const text = xml
    .replaceAll(/<!\[CDATA\[.*?\]\]>/gs, '')
    .replaceAll(/<(\/?)([\w:]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g, (...tag) => {
      const [, closing, name, , empty] = tag as string[]
      if (closing === '/') return open.pop() === name ? '' : '<'
      if (empty !== '/') open.push(name!)
      return ''
    })
  return open.length === 0 && !text.includes('<') && !/&(?!(amp|lt|gt|quot|apos|#\d+);)/.test(text)
}

describe('charts', () => {
  const bars: Chart = {
    name: 'bars',
    title: 'Fast & <slow>',
    kind: 'bars',
    xTitle: '',
    yTitle: 'MiB/s',
    series: [
      {
        name: 'encrypt',
        points: [
          ['one', 117],
          ['two', 20],
        ],
      },
      { name: 'decrypt', points: [['one', 10]] },
    ],
  }
  const lines: Chart = {
    name: 'lines',
    title: 'Growth',
    kind: 'lines',
    xTitle: 'size',
    yTitle: 'ms',
    logarithmic: 'both',
    formatX: formatBytes,
    series: [{ name: 'write', points: Array.from({ length: 12 }, (_, i) => [2 ** (10 + 2 * i), 0.1 * 2 ** i]) }],
  }

  test.each([bars, lines])('$name are SVG that is well formed and has its words', (chart) => {
    const svg = renderChart(chart)
    expect(svg.startsWith('<svg ')).toBe(true)
    expect(isWellFormed(svg)).toBe(true)
    for (const { name } of chart.series) expect(svg).toContain(`>${name}</text>`)
    expect(svg).toContain(`>${chart.yTitle}</text>`)
    expect(svg).not.toMatch(/NaN|undefined|Infinity/)
  })

  test('have the values on bars and the sizes on axes', () => {
    expect(renderChart(bars)).toContain('>117</text>')
    expect(renderChart(bars)).toContain('>Fast &amp; &lt;slow&gt;</text>')
    expect(renderChart(lines)).toContain('>4 MiB</text>')
  })

  test('are the same whatever was drawn before', () => {
    const first = renderChart(lines)
    renderChart(bars)
    expect(renderChart(lines)).toBe(first)
  })

  test('the check itself finds what is not well formed', () => {
    expect(isWellFormed('<a b="c"><d/>e &amp; f</a>')).toBe(true)
    for (const broken of ['<a>', '<a></b>', '<a b=c></a>', '<a>&</a>', '<a>< </a>'])
      expect(isWellFormed(broken), broken).toBe(false)
  })
})

describe('a section', () => {
  const machine = { cpu: 'Fast', cores: 2, memoryGiB: 8, system: 'Linux 6', node: '20.1.0', openssl: '3.0.1' }
  const result = (findings: Partial<Findings>) => {
    return { date: '2026-01-02', machine, quick: false, seconds: 1, findings: { ...noFindings(), ...findings } }
  }

  test('has its chart, its table, what is left out, and where it was measured', () => {
    const findings = {
      measurements: [{ row: 'age 1.1', column: 'encrypt 4 MiB, MiB/s', values: [300] }],
      omissions: [{ what: 'gocryptfs', why: 'it is not installed' }],
    }
    const section = renderSection('peers', result(findings))
    expect(section).toContain('](benchmarks/peers.svg)')
    expect(section).toContain('| age 1.1 | 300 |')
    expect(section).toContain('- Left out: gocryptfs, as it is not installed.')
    expect(section).toContain('2026-01-02, Node 20.1.0, 2 x Fast.')
    expect(chartOf('peers', { ...noFindings(), ...findings })?.series).toEqual([
      { name: 'encrypt 4 MiB', points: [['age 1.1', 300]] },
    ])
  })

  test('links no chart where there is nothing to draw', () => {
    expect(renderSection('peers', result({}))).not.toContain('.svg')
    expect(renderSection('seal', result({ comparisons: [comparison([1], 1)] }))).not.toContain('.svg')
  })

  test('says that figures are those of the quick form', () => {
    expect(renderSection('seal', { ...result({}), quick: true })).toContain('quick form')
  })
})

describe('docs/benchmarks.md', () => {
  const sections = readSections(readDocument('docs/benchmarks.md'))
  const charts = new URL('../../docs/benchmarks/', import.meta.url)

  test('has a section for each bench, and one for the machine', () => {
    expect([...sections.keys()].sort()).toEqual([MACHINE, ...Object.keys(benches)].sort())
  })

  test('links every chart of what was measured, and every chart is there', () => {
    const wanted = [...sections].filter(([name, content]) => hasChart(name) && content !== NOT_MEASURED)
    for (const [name, content] of wanted) {
      expect(content, name).toContain(`](${chartPath(name)})`)
      expect(existsSync(new URL(`../../docs/${chartPath(name)}`, import.meta.url)), name).toBe(true)
    }
    const linked = [...sections.values()].join('\n')
    for (const file of existsSync(charts) ? readdirSync(charts) : []) expect(linked).toContain(`](benchmarks/${file})`)
  })
})
