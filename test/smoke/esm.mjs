import * as sealfile from 'sealfile'
import * as sealfileFs from 'sealfile/fs'
import * as batch from 'sealfile/batch'
import * as config from 'sealfile/config'
import * as compat from 'sealfile/compat'
import * as passphrasePolicy from 'sealfile/passphrase-policy'
import * as providers from 'sealfile/providers'
import check from './check.cjs'

await check(sealfile, sealfileFs, 'ESM', { batch, compat, config, providers, passphrasePolicy })
