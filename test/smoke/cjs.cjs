'use strict'

const sealfile = require('sealfile')
const sealfileFs = require('sealfile/fs')
const batch = require('sealfile/batch')
const compat = require('sealfile/compat')
const passphrasePolicy = require('sealfile/passphrase-policy')
const providers = require('sealfile/providers')
const check = require('./check.cjs')

check(sealfile, sealfileFs, 'CommonJS', { batch, compat, providers, passphrasePolicy })
