import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { openKeys, run } from '../keys.mjs'
import { LogFiles, readLines } from './log-files.mjs'

const FOLDER = 'logs'

/** Without arguments a service that logs; `write 1000` logs that many lines at once; `read` prints all, `follow` goes on with what comes. */
run(async () => {
  const [command, count] = process.argv.slice(2)
  const options = { keyManager: await openKeys(), purpose: 'logs' }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())

  if (command === 'read' || command === 'follow') {
    for await (const line of readLines(FOLDER, options, command === 'follow' ? stop.signal : undefined)) console.log(line)
    return
  }
  if (command !== undefined && command !== 'write') throw new Error('usage: main.mjs [write COUNT | read | follow]')

  const files = new LogFiles(FOLDER, options, { maxSize: 64 * 1024, keep: 5 })
  const log = pino({}, files)
  for (let number = 1; number <= Number(count ?? Infinity) && !stop.signal.aborted; number++) {
    log.info({ number, account: 'DE02 1203 0000 0000 2020 51' }, 'payment accepted')
    if (count === undefined) await sleep(100, undefined, { signal: stop.signal }).catch(() => undefined)
  }
  files.close()
})
