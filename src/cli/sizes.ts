import { InvalidArgumentError } from 'commander'

/** Sizes and numbers as people write and read them. */

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }
const NAMES = ['KiB', 'MiB', 'GiB', 'TiB']

/** Reads `65536`, `64k`, `16m` or `1g`. @throws InvalidArgumentError, which commander shows with the option. */
export function parseSize(text: string): number {
  const [, digits, unit] = /^(\d{1,15})([kmg]?)$/i.exec(text) ?? []
  const size = Number(digits) * UNITS[unit?.toLowerCase() ?? '']!
  if (!Number.isSafeInteger(size)) throw new InvalidArgumentError('Not a number of bytes, such as 65536, 64k or 1m.')
  return size
}

/** Reads a number of 0 or more. @throws InvalidArgumentError. */
export function parseNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Not a number of 0 or more.')
  return Number(text)
}

/** @returns a size in its largest unit, with one digit behind the point. */
export function formatSize(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`
  let value = bytes
  let name = -1
  while (value >= 1_024 && name < NAMES.length - 1) {
    value /= 1_024
    name++
  }
  return `${value.toFixed(1)} ${NAMES[name]}`
}

/** @returns a number with what it counts, which is given in the singular. */
export function count(number: number, noun: string): string {
  return `${number} ${number === 1 ? noun : `${noun}s`}`
}
