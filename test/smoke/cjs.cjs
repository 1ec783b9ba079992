'use strict'

const sealfile = require('sealfile')
const check = require('./check.cjs')

check(sealfile, 'CommonJS')
