import * as sealfile from 'sealfile'
import * as sealfileFs from 'sealfile/fs'
import check from './check.cjs'

await check(sealfile, sealfileFs, 'ESM')
