import { ConfigFile, updateConfig } from './config-file.mjs'
import { openKeys, run } from '../keys.mjs'

const PATH = 'app.config'

/** Without arguments a service that has a config; with `set port 9090` the tool that changes it while the service runs. */
run(async () => {
  const [command, name, value] = process.argv.slice(2)
  const options = { keyManager: await openKeys(), purpose: 'config' }

  if (command === 'set' && name !== undefined && value !== undefined) {
    /** @type {unknown} */
    const parsed = JSON.parse(value)
    await updateConfig(PATH, (config) => ({ ...config, [name]: parsed }), options)
    return
  }

  if (command !== undefined) throw new Error('usage: main.mjs [set NAME VALUE], where VALUE is JSON')
  await updateConfig(PATH, (config) => ({ port: 8080, ...config }), options)
  const config = await ConfigFile.open(PATH, options)
  config.on('change', (next) => console.log('changed:', JSON.stringify(next)))
  config.on('fault', (error) => console.error('kept what was read before:', error instanceof Error ? error.message : error))
  console.log('started:', JSON.stringify(config.current))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => config.close())
})
