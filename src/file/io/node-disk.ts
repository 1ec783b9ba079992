import fs from 'node:fs'
import type { Disk } from './steps.js'

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void

function promise<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)))
  })
}

const clock = new Int32Array(new SharedArrayBuffer(4))

/** The disk of node:fs. Its writes go through `writev`, so that header, nonces, ciphertext and tags need no copy. */
export const nodeDisk: Disk = {
  sync: {
    open: fs.openSync,
    close: fs.closeSync,
    read: fs.readSync,
    writev: fs.writevSync,
    fdatasync: fs.fdatasyncSync,
    ftruncate: fs.ftruncateSync,
    fstat: (fd) => fs.fstatSync(fd),
    symlink: (target, path) => fs.symlinkSync(target, path),
    readlink: (path) => fs.readlinkSync(path),
    unlink: fs.unlinkSync,
    realpath: (path) => fs.realpathSync.native(path),
    sleep: (milliseconds) => void Atomics.wait(clock, 0, 0, milliseconds),
  },
  async: {
    open: (path, flags, mode) => promise((done) => fs.open(path, flags, mode, done)),
    close: (fd) => promise((done: Done<void>) => fs.close(fd, done as fs.NoParamCallback)),
    read: (fd, buffer, offset, length, position) => promise((done) => fs.read(fd, buffer, offset, length, position, done)),
    writev: (fd, buffers, position) => promise((done) => fs.writev(fd, buffers, position, done)),
    fdatasync: (fd) => promise((done: Done<void>) => fs.fdatasync(fd, done as fs.NoParamCallback)),
    ftruncate: (fd, size) => promise((done: Done<void>) => fs.ftruncate(fd, size, done as fs.NoParamCallback)),
    fstat: (fd) => promise((done) => fs.fstat(fd, done)),
    symlink: (target, path) => promise((done: Done<void>) => fs.symlink(target, path, done as fs.NoParamCallback)),
    readlink: (path) => promise((done) => fs.readlink(path, done)),
    unlink: (path) => promise((done: Done<void>) => fs.unlink(path, done as fs.NoParamCallback)),
    realpath: (path) => promise((done) => fs.realpath.native(path, done)),
    sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  },
}
