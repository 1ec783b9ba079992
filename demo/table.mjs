/**
 * @typedef {object} Row
 * @property {string} name
 * @property {import('./copies.mjs').Copy[]} copies
 * @property {import('./speed.mjs').Speeds | undefined} [speeds]
 */

const HEADER = [
  ['', '', 'bytes of', 'bytes', 'overhead', '', 'write MB/s', '', 'read MB/s', ''],
  ['', 'files', 'plaintext', 'on disk', 'bytes', '%', 'encrypted', 'plain', 'encrypted', 'plain'],
]

/**
 * @param {Row[]} rows
 * @returns {string[]} lines.
 */
export function formatTable(rows) {
  const total = { name: 'all', copies: rows.flatMap((row) => row.copies) }
  const cells = [...HEADER, ...rows.map(cellsOf), cellsOf(total)]
  const widths = HEADER[0]?.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0))) ?? []
  return cells.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

/** @param {Row} row */
function cellsOf({ name, copies, speeds }) {
  const plaintextSize = copies.reduce((sum, copy) => sum + copy.plaintextSize, 0)
  const size = copies.reduce((sum, copy) => sum + copy.size, 0)
  const overhead = size - plaintextSize
  return [
    name.length > 28 ? `…${name.slice(-27)}` : name,
    formatCount(copies.length),
    formatCount(plaintextSize),
    formatCount(size),
    formatCount(overhead),
    plaintextSize === 0 ? '-' : ((100 * overhead) / plaintextSize).toFixed(3),
    formatSpeed(speeds?.write.encrypted),
    formatSpeed(speeds?.write.plain),
    formatSpeed(speeds?.read.encrypted),
    formatSpeed(speeds?.read.plain),
  ]
}

/** @param {number} count */
function formatCount(count) {
  return count.toLocaleString('en')
}

/** @param {number | undefined} speed */
function formatSpeed(speed) {
  if (speed === undefined) return '-'
  return speed < 10 ? speed.toFixed(1) : formatCount(Math.round(speed))
}
