'use strict'

const sealfile = require('sealfile')
const sealfileFs = require('sealfile/fs')
const check = require('./check.cjs')

check(sealfile, sealfileFs, 'CommonJS')
