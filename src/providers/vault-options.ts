import { invalidArgType, invalidArgValue, outOfRange, WITHHELD } from '../argument-errors.js'
import { requireOptions, requireText } from './provider-arguments.js'

/** A token, or what gives one for each call. */
export type TokenSource = (request: { readonly signal: AbortSignal }) => string | Promise<string>

/** Where a key-management service is, and how it is asked. Either `token` or `getToken` is needed. */
export interface VaultTransitProviderOptions {
  /** The server: `https://vault.example.com:8200`. A path is kept, as a proxy may need one. */
  readonly address: string | URL
  /** A token that may `update` the paths `<mount>/encrypt/<key>` and `<mount>/decrypt/<key>`; it needs nothing more. */
  readonly token?: string | undefined
  /** Gives a token for each call: the place to log in, and to log in again. Given up when the call is. */
  readonly getToken?: TokenSource | undefined
  /** The name of the key in the transit engine. It must be there. */
  readonly key: string
  /**
   * Where the transit engine is mounted.
   *
   * @defaultValue `'transit'`
   */
  readonly mount?: string | undefined
  /** The namespace, where the server has them. */
  readonly namespace?: string | undefined
  /**
   * Whether the key was made with `derived=true`: then each slot is encrypted under a key of its own, which the server derives.
   *
   * @defaultValue false
   */
  readonly derived?: boolean | undefined
  /**
   * The provider's name in the keyring, where there are several.
   *
   * @defaultValue `'vault-transit'`
   */
  readonly name?: string | undefined
  /**
   * Milliseconds that a call may take, retries included: 1 to 2^31 - 1.
   *
   * @defaultValue 10000
   */
  readonly timeout?: number | undefined
  /**
   * How often a request is made again that the server was too busy for or that did not reach it: 0 to 100.
   *
   * @defaultValue 2
   */
  readonly retries?: number | undefined
  /**
   * Allows `http:` for other hosts than this one. Keyring key and token then cross the network in clear.
   *
   * @defaultValue false
   */
  readonly allowHttp?: boolean | undefined
  /** In place of the global `fetch`: for a proxy, client certificates, an own certificate authority. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** What the options come down to. */
export interface VaultTransit {
  /** Without a slash at its end. */
  readonly address: string
  readonly getToken: TokenSource
  readonly key: string
  readonly mount: string
  readonly namespace: string | undefined
  readonly derived: boolean
  readonly name: string
  readonly timeout: number
  readonly retries: number
  readonly fetch: typeof globalThis.fetch
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || /^127(\.\d+){3}$/.test(host) || host === '[::1]'
}

function resolveAddress(address: unknown, allowHttp: boolean): string {
  const name = 'options.address'
  if (typeof address !== 'string' && !(address instanceof URL))
    throw invalidArgType(name, 'of type string or an instance of URL', address)
  // The value is not shown before it is known that it holds no password.
  const url = URL.canParse(String(address)) ? new URL(address) : undefined
  if (url === undefined) throw invalidArgValue(name, WITHHELD, 'must be an absolute URL')
  if (url.username !== '' || url.password !== '') throw invalidArgValue(name, WITHHELD, 'must not contain credentials')
  if (url.search !== '' || url.hash !== '') throw invalidArgValue(name, url.href, 'must not have a query or a fragment')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && (allowHttp || isLoopback(url.hostname)))) {
    throw invalidArgValue(name, url.href, 'must begin with https:, or allowHttp must be set')
  }
  return url.href.replace(/\/+$/, '')
}

/** As the server has it for names of keys. */
function requireKeyName(value: unknown): string {
  const key = requireText('options.key', value)
  if (!/^\w(?:[\w.-]*\w)?$/.test(key))
    throw invalidArgValue('options.key', key, 'must be letters, digits, and within it dots and dashes')
  return key
}

function requireMount(value: unknown): string {
  const mount = requireText('options.mount', value)
  const isSegment = (segment: string) => /^[\w.-]+$/.test(segment) && !/^\.+$/.test(segment)
  if (!mount.split('/').every(isSegment))
    throw invalidArgValue('options.mount', mount, 'must be a path such as transit or team/transit')
  return mount
}

function requireCount(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!Number.isInteger(value) || value < least || value > most)
    throw outOfRange(name, `an integer >= ${least} && <= ${most}`, value)
  return value
}

function requireBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value)
  return value
}

function requireFunction<T>(name: string, value: T): T {
  if (typeof value !== 'function') throw invalidArgType(name, 'of type function', value)
  return value
}

/**
 * What a header can hold, checked before `fetch` shows it in an error of its own.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, without the token.
 */
export function requireToken(name: string, token: unknown): string {
  if (typeof token !== 'string') throw invalidArgType(name, 'of type string', WITHHELD)
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalidArgValue(name, WITHHELD, 'must be printable ASCII without spaces')
  return token
}

function resolveTokenSource(token: unknown, getToken: TokenSource | undefined): TokenSource {
  if ((token === undefined) === (getToken === undefined)) {
    throw invalidArgValue('options', WITHHELD, 'must have either token or getToken')
  }
  if (getToken !== undefined) {
    if (typeof getToken !== 'function') throw invalidArgType('options.getToken', 'of type function', WITHHELD)
    return getToken
  }
  const valid = requireToken('options.token', token)
  return () => valid
}

/** @throws TypeError, RangeError for options that cannot be. */
export function resolveVaultOptions(options: VaultTransitProviderOptions): VaultTransit {
  requireOptions(options)
  const { mount = 'transit', namespace, derived = false, name = 'vault-transit' } = options
  const { timeout = 10_000, retries = 2, allowHttp = false, fetch = globalThis.fetch } = options
  if (namespace !== undefined && !/^[\x21-\x7e]+$/.test(requireText('options.namespace', namespace))) {
    throw invalidArgValue('options.namespace', namespace, 'must be printable ASCII without spaces')
  }
  return {
    address: resolveAddress(options.address, requireBoolean('options.allowHttp', allowHttp)),
    getToken: resolveTokenSource(options.token, options.getToken),
    key: requireKeyName(options.key),
    mount: requireMount(mount),
    namespace,
    derived: requireBoolean('options.derived', derived),
    name: requireText('options.name', name),
    timeout: requireCount('options.timeout', timeout, 1, 2 ** 31 - 1),
    retries: requireCount('options.retries', retries, 0, 100),
    fetch: requireFunction('options.fetch', fetch),
  }
}
