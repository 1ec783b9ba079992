import * as sealfile from 'sealfile'
import check from './check.cjs'

await check(sealfile, 'ESM')
