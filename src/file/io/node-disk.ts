import fs from 'node:fs'
import { endIsWritten, isCutTo, watchChange } from './changes.js'
import type { Disk } from './steps.js'

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void

function promise<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    // Bun and Deno call back with undefined in places where Node has null.
    start((error, value) => (error ? reject(error) : resolve(value)))
  })
}

/** For calls that have no result. */
function completion(start: (done: fs.NoParamCallback) => void): Promise<void> {
  return promise((done: Done<void>) => start(done as fs.NoParamCallback))
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
    fsync: fs.fsyncSync,
    ftruncate: fs.ftruncateSync,
    fstat: (fd) => fs.fstatSync(fd),
    fstatBig: (fd) => fs.fstatSync(fd, { bigint: true }),
    fchmod: fs.fchmodSync,
    fchown: fs.fchownSync,
    futimes: fs.futimesSync,
    symlink: (target, path) => fs.symlinkSync(target, path),
    readlink: (path) => fs.readlinkSync(path),
    link: fs.linkSync,
    unlink: fs.unlinkSync,
    rename: fs.renameSync,
    stat: (path) => fs.statSync(path),
    realpath: (path) => fs.realpathSync.native(path),
    sleep: (milliseconds) => void Atomics.wait(clock, 0, 0, milliseconds),
  },
  async: {
    open: (path, flags, mode) => promise((done) => fs.open(path, flags, mode, done)),
    close: (fd) => completion((done) => fs.close(fd, done)),
    read: (fd, buffer, offset, length, position) => promise((done) => fs.read(fd, buffer, offset, length, position, done)),
    writev: (fd, buffers, position) =>
      promise((done: Done<number>) => fs.writev(fd, buffers, position, watchChange(endIsWritten(fd, buffers, position), done))),
    fdatasync: (fd) => completion((done) => fs.fdatasync(fd, done)),
    fsync: (fd) => completion((done) => fs.fsync(fd, done)),
    ftruncate: (fd, size) =>
      completion((done) =>
        fs.ftruncate(
          fd,
          size,
          watchChange(() => isCutTo(fd, size), done),
        ),
      ),
    fstat: (fd) => promise((done) => fs.fstat(fd, done)),
    fstatBig: (fd) => promise((done) => fs.fstat(fd, { bigint: true }, done)),
    fchmod: (fd, mode) => completion((done) => fs.fchmod(fd, mode, done)),
    fchown: (fd, uid, gid) => completion((done) => fs.fchown(fd, uid, gid, done)),
    futimes: (fd, atime, mtime) => completion((done) => fs.futimes(fd, atime, mtime, done)),
    symlink: (target, path) => completion((done) => fs.symlink(target, path, done)),
    readlink: (path) => promise((done) => fs.readlink(path, done)),
    link: (existing, path) => completion((done) => fs.link(existing, path, done)),
    unlink: (path) => completion((done) => fs.unlink(path, done)),
    rename: (from, to) => completion((done) => fs.rename(from, to, done)),
    stat: (path) => promise((done) => fs.stat(path, done)),
    realpath: (path) => promise((done) => fs.realpath.native(path, done)),
    sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  },
}
