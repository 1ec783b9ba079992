'use strict'

const sealfile = require('sealfile')
const sealfileFs = require('sealfile/fs')
const batch = require('sealfile/batch')
const config = require('sealfile/config')
const compat = require('sealfile/compat')
const passphrasePolicy = require('sealfile/passphrase-policy')
const providers = require('sealfile/providers')
const check = require('./check.cjs')

check(sealfile, sealfileFs, 'CommonJS', { batch, compat, config, providers, passphrasePolicy })
