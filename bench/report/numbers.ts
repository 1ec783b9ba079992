/** Numbers as people read them. */

const WORDS = ['KiB', 'MiB', 'GiB']

/** @returns 65,536 as `64 KiB`. */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 'bytes']
  for (const word of WORDS) {
    if (value < 1_024) break
    ;[value, unit] = [value / 1_024, word]
  }
  return `${formatNumber(value)} ${unit}`
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US')
}

/** @returns three figures, or all that are before the point. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

/** @param ms - Milliseconds. */
export function formatDuration(ms: number): string {
  return ms >= 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${formatNumber(ms)} ms`
}
