import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, type CipherGCMTypes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/**
 * A stand-in for the transit engine of HashiCorp Vault and OpenBao, for tests on machines that have neither. It really encrypts, with
 * versions of keys, derived keys and associated data. Paths, order of checks, status codes and error texts are modelled on the sources of
 * the engine: `builtin/logical/transit/path_encrypt.go`, `path_decrypt.go` and `sdk/helper/keysutil/policy.go`. What it cannot show is that a
 * real server behaves as those sources read.
 */
export interface VaultStandIn {
  readonly address: string
  /** May do everything. */
  readonly rootToken: string
  /** Whether it answers that it is sealed. */
  sealed: boolean
  /** As servers did before there was `associated_data`: unknown fields are ignored. */
  ignoresAssociatedData: boolean
  /** Answers for the next requests in place of its own, one each. */
  readonly faults: Fault[]
  /** Requests that came, faults included. */
  readonly requests: { readonly path: string; readonly headers: IncomingMessage['headers']; readonly body: string }[]
  /** @param may - Paths and what may be done there: `create`, `update`. @returns a token. */
  addToken(may: Readonly<Record<string, readonly ('create' | 'update')[]>>): string
  close(): Promise<void>
}

/** What a server does that is busy, broken or none at all. */
export type Fault = (response: ServerResponse, request: IncomingMessage) => void

type KeyType = 'aes128-gcm96' | 'aes256-gcm96' | 'chacha20-poly1305'

interface Cipher {
  readonly name: string
  readonly keyLength: number
}

const CIPHERS: Readonly<Record<KeyType, Cipher>> = {
  'aes128-gcm96': { name: 'aes-128-gcm', keyLength: 16 },
  'aes256-gcm96': { name: 'aes-256-gcm', keyLength: 32 },
  'chacha20-poly1305': { name: 'chacha20-poly1305', keyLength: 32 },
}
const NONCE_LENGTH = 12
const TAG_LENGTH = 16

interface TransitKey {
  readonly type: KeyType
  readonly derived: boolean
  /** Version 1 first. */
  readonly versions: Buffer[]
  minDecryptionVersion: number
}

/** An answer with an error, in the server's shape. */
class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

function fieldsOf(body: string): Readonly<Record<string, unknown>> {
  if (body === '') return {}
  try {
    return JSON.parse(body) as Record<string, unknown>
  } catch {
    throw new Refusal(400, 'error parsing JSON')
  }
}

function decodeBase64(value: unknown): Buffer {
  const bytes = Buffer.from(typeof value === 'string' ? value : '', 'base64')
  if (bytes.toString('base64') !== value) throw new Refusal(400, 'illegal base64 data at input byte 0')
  return bytes
}

function versionKey({ type, derived, versions }: TransitKey, version: number, context: unknown): Buffer {
  const key = versions[version - 1]
  if (key === undefined) throw new Refusal(400, 'invalid ciphertext: version is too new')
  if (!derived) return key
  if (context === undefined || context === '') {
    throw new Refusal(
      400,
      "missing 'context' for key derivation; the key was created using a derived key, which means additional, per-request information must be included in order to perform operations with the key",
    )
  }
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), decodeBase64(context), CIPHERS[type].keyLength))
}

function encrypt(key: TransitKey, fields: Readonly<Record<string, unknown>>): object {
  if (fields.plaintext === undefined) throw new Refusal(400, 'missing plaintext to encrypt')
  const plaintext = decodeBase64(fields.plaintext)
  const version = key.versions.length
  const nonce = randomBytes(NONCE_LENGTH)
  const cipher = createCipheriv(CIPHERS[key.type].name as CipherGCMTypes, versionKey(key, version, fields.context), nonce, {
    authTagLength: TAG_LENGTH,
  })
  if (fields.associated_data !== undefined) cipher.setAAD(decodeBase64(fields.associated_data))
  const bytes = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  return { ciphertext: `vault:v${version}:${bytes.toString('base64')}`, key_version: version }
}

function decrypt(key: TransitKey, fields: Readonly<Record<string, unknown>>): object {
  const ciphertext = fields.ciphertext
  if (typeof ciphertext !== 'string' || ciphertext === '') throw new Refusal(400, 'missing ciphertext to decrypt')
  if (!ciphertext.startsWith('vault:v')) throw new Refusal(400, 'invalid ciphertext: no prefix')
  const [, number, encoded] = /^vault:v(\d+):(.*)$/.exec(ciphertext) ?? []
  if (number === undefined || encoded === undefined) throw new Refusal(400, 'invalid ciphertext: wrong number of fields')
  const version = Number(number)
  if (version < key.minDecryptionVersion)
    throw new Refusal(400, 'ciphertext or signature version is disallowed by policy (too old)')
  const derived = versionKey(key, version, fields.context)
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.length < NONCE_LENGTH + TAG_LENGTH) throw new Refusal(400, 'invalid ciphertext length')
  const decipher = createDecipheriv(CIPHERS[key.type].name as CipherGCMTypes, derived, bytes.subarray(0, NONCE_LENGTH), {
    authTagLength: TAG_LENGTH,
  })
  if (fields.associated_data !== undefined) decipher.setAAD(decodeBase64(fields.associated_data))
  decipher.setAuthTag(bytes.subarray(-TAG_LENGTH))
  try {
    const plaintext = Buffer.concat([decipher.update(bytes.subarray(NONCE_LENGTH, -TAG_LENGTH)), decipher.final()])
    return { plaintext: plaintext.toString('base64') }
  } catch {
    throw new Refusal(400, 'cipher: message authentication failed')
  }
}

/** Starts a server on a free port of this machine. */
export async function startVaultStandIn(): Promise<VaultStandIn> {
  const rootToken = `hvs.${randomBytes(18).toString('base64url')}`
  const tokens = new Map<string, Readonly<Record<string, readonly string[]>>>()
  const keys = new Map<string, TransitKey>()

  const requireMay = (token: string | string[] | undefined, path: string, capability: 'create' | 'update') => {
    if (token === rootToken) return
    const may = typeof token === 'string' ? tokens.get(token) : undefined
    if (!may?.[path]?.includes(capability)) throw new Refusal(403, '1 error occurred:\n\t* permission denied\n\n')
  }

  const createKey = (name: string, fields: Readonly<Record<string, unknown>>): TransitKey => {
    const type = (fields.type ?? 'aes256-gcm96') as KeyType
    const key = {
      type,
      derived: fields.derived === true,
      versions: [randomBytes(CIPHERS[type].keyLength)],
      minDecryptionVersion: 1,
    }
    keys.set(name, key)
    return key
  }

  const handle = (request: IncomingMessage, body: string): object | undefined => {
    if (vault.sealed) throw new Refusal(503, 'Vault is sealed')
    const path = new URL(request.url ?? '', vault.address).pathname.slice('/v1/'.length)
    const token = request.headers['x-vault-token']
    const [, namespaced, operation, name, action] = /^(team\/)?transit\/(\w+)\/([\w.-]+)(?:\/(\w+))?$/.exec(path) ?? []
    const isHere =
      operation !== undefined && name !== undefined && (namespaced === undefined || request.headers['x-vault-namespace'] === 'ns')
    if (!isHere) {
      requireMay(token, path, 'update')
      throw new Refusal(404, `no handler for route "${path}". route entry not found.`)
    }
    if (request.method !== 'POST' && request.method !== 'PUT') throw new Refusal(405, 'unsupported operation')
    const known = keys.get(name)
    const isNew = operation !== 'decrypt' && known === undefined
    requireMay(token, path, isNew ? 'create' : 'update')
    const given = fieldsOf(body)
    const fields = vault.ignoresAssociatedData ? { ...given, associated_data: undefined } : given
    if (operation === 'keys') {
      const key = known ?? createKey(name, fields)
      if (action === 'rotate') key.versions.push(randomBytes(CIPHERS[key.type].keyLength))
      if (action === 'config') key.minDecryptionVersion = Number(fields.min_decryption_version)
      return undefined
    }
    if (operation === 'encrypt') {
      // The engine makes a key that is not there, for a token that may create it.
      return encrypt(known ?? createKey(name, { derived: fields.context !== undefined }), fields)
    }
    if (known === undefined) throw new Refusal(400, 'encryption key not found')
    return decrypt(known, fields)
  }

  const server: Server = createServer((request, response) => {
    const answer = async () => {
      const body = await text(request)
      vault.requests.push({ path: request.url ?? '', headers: request.headers, body })
      const fault = vault.faults.shift()
      if (fault !== undefined) {
        fault(response, request)
        return
      }
      response.setHeader('Content-Type', 'application/json')
      try {
        const data = handle(request, body)
        if (data === undefined) response.writeHead(204).end()
        else response.end(JSON.stringify({ request_id: 'stand-in', lease_id: '', renewable: false, lease_duration: 0, data }))
      } catch (error) {
        const { status, message } = error instanceof Refusal ? error : new Refusal(500, `internal error: ${String(error)}`)
        response.writeHead(status).end(JSON.stringify({ errors: [message] }))
      }
    }
    void answer()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  const vault: VaultStandIn = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    rootToken,
    sealed: false,
    ignoresAssociatedData: false,
    faults: [],
    requests: [],
    addToken(may) {
      const token = `hvs.${randomBytes(18).toString('base64url')}`
      tokens.set(token, may)
      return token
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return vault
}
