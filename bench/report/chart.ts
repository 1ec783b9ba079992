import { init, type EChartsOption } from 'echarts'

/** Charts as SVG, the same bytes for the same numbers. */

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: string | number, y: number])[]
}

export interface Chart {
  /** Also the name of the file. */
  readonly name: string
  readonly title: string
  /** `bars`: x are names, from top to bottom. `lines`: x are numbers. */
  readonly kind: 'bars' | 'lines'
  readonly xTitle: string
  readonly yTitle: string
  /** Which axes of lines are logarithmic. */
  readonly logarithmic?: 'x' | 'both' | undefined
  readonly formatX?: ((x: number) => string) | undefined
  readonly series: readonly Series[]
}

// Its own background, so that it reads on a light page and on a dark one. Colours that differ in lightness too.
const BACKGROUND = '#ffffff'
const INK = '#24292f'
const GRID = '#d0d7de'
const COLOURS = ['#0b5cad', '#e8833a', '#2f8f5b', '#8b5fbf']

const WIDTH = 860
const LINES_HEIGHT = 440
const ROW_HEIGHT = 42
const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond']

const text = { color: INK, fontSize: 13 }

function axis(title: string) {
  return {
    name: title,
    nameTextStyle: text,
    axisLabel: text,
    axisLine: { lineStyle: { color: INK } },
    splitLine: { lineStyle: { color: GRID } },
  }
}

function common({ title, series }: Chart): EChartsOption {
  return {
    animation: false,
    backgroundColor: BACKGROUND,
    color: COLOURS,
    textStyle: { fontFamily: 'sans-serif' },
    title: { text: title, left: 12, top: 8, textStyle: { ...text, fontSize: 15 } },
    // Without a canvas the widths of text are estimates: there is room to spare.
    legend: { data: series.map(({ name }) => name), left: 12, top: 36, itemGap: 40, textStyle: text },
  }
}

function bars(chart: Chart): EChartsOption {
  const { series, xTitle, yTitle } = chart
  const names = [...new Set(series.flatMap(({ points }) => points.map(([x]) => String(x))))]
  const valueOf = (points: Series['points'], name: string): number | undefined => points.find(([x]) => String(x) === name)?.[1]
  return {
    ...common(chart),
    grid: { left: 310, right: 60, top: 72, bottom: 44 },
    xAxis: { ...axis(yTitle), type: 'value', nameLocation: 'middle', nameGap: 28 },
    yAxis: { ...axis(xTitle), type: 'category', data: names, inverse: true },
    series: series.map(({ name, points }) => ({
      name,
      type: 'bar',
      data: names.map((one) => valueOf(points, one) ?? null),
      label: { show: true, position: 'right', color: INK, formatter: ({ value }) => Number(value).toFixed(0) },
    })),
  }
}

function lines(chart: Chart): EChartsOption {
  const { series, xTitle, yTitle, logarithmic, formatX = String } = chart
  const isLogarithmic = logarithmic !== undefined
  // The marks of a logarithmic axis are where the points are.
  const marks = isLogarithmic ? { customValues: [...new Set(series.flatMap(({ points }) => points.map(([x]) => Number(x))))] } : {}
  return {
    ...common(chart),
    grid: { left: 80, right: 40, top: 100, bottom: 52 },
    xAxis: {
      ...axis(xTitle),
      type: isLogarithmic ? 'log' : 'value',
      nameLocation: 'middle',
      nameGap: 28,
      min: isLogarithmic ? 'dataMin' : 0,
      max: 'dataMax',
      axisLabel: { ...text, formatter: formatX, ...marks },
      axisTick: marks,
      splitLine: { show: !isLogarithmic, lineStyle: { color: GRID } },
    },
    yAxis: { ...axis(yTitle), type: logarithmic === 'both' ? 'log' : 'value', nameTextStyle: { ...text, align: 'left' } },
    series: series.map(({ name, points }, i) => ({
      name,
      type: 'line',
      symbol: SYMBOLS[i % SYMBOLS.length]!,
      showSymbol: points.length < 20,
      symbolSize: 7,
      data: points.map((point) => [...point]),
    })),
  }
}

/** The names of parts count up from chart to chart: what was drawn before must not matter. */
function renameParts(svg: string, prefix: string): string {
  const names = new Map<string, string>()
  return svg.replaceAll(/\bzr\d+-[a-z]+-?\d+\b/g, (name) => {
    const known = names.get(name) ?? `${prefix}-${names.size}`
    names.set(name, known)
    return known
  })
}

/** @returns a document. */
export function renderChart(chart: Chart): string {
  const rows = chart.kind === 'bars' ? new Set(chart.series.flatMap(({ points }) => points.map(([x]) => x))).size : 0
  const height = chart.kind === 'bars' ? 116 + rows * ROW_HEIGHT : LINES_HEIGHT
  const drawn = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  try {
    drawn.setOption(chart.kind === 'bars' ? bars(chart) : lines(chart))
    return `${renameParts(drawn.renderToSVGString(), chart.name)}\n`
  } finally {
    drawn.dispose()
  }
}
