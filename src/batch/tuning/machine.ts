import { createRequire } from 'node:module'
import { statfs, stat } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import type { Path } from '../../compat/paths.js'

/** What times were measured on: on anything else they mean nothing. */
export interface Machine {
  /** As Node names it. */
  readonly platform: string
  /** Of the processor, as Node names it. */
  readonly architecture: string
  /** The model, as the system names it. */
  readonly cpu: string
  /** Processors that may be used. */
  readonly processors: number
  /** Version of Node. */
  readonly node: string
  /** Version of the OpenSSL in it. */
  readonly openssl: string
  /** Version of this library. */
  readonly sealfile: string
  /** Of the target: as the system numbers it. */
  readonly device: string
  /** The kind of its file system, as the system numbers it. */
  readonly fileSystem: string
}

/** @param folder - One that is there. @throws system errors. */
export async function describeMachine(folder: Path): Promise<Machine> {
  return {
    platform: process.platform,
    architecture: process.arch,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    processors: availableParallelism(),
    node: process.version,
    openssl: process.versions.openssl,
    sealfile: ownVersion(),
    device: `${(await stat(folder)).dev}`,
    fileSystem: await statfs(folder).then(
      ({ type }) => `0x${type.toString(16)}`,
      () => 'unknown',
    ),
  }
}

/** A bundle may have left the package behind. */
function ownVersion(): string {
  try {
    const { version } = createRequire(import.meta.url)('sealfile/package.json') as { readonly version: string }
    return version
  } catch {
    return 'unknown'
  }
}
