import { setTimeout as sleep } from 'node:timers/promises'
import { concatBytes } from '../bytes/arrays.js'
import { ProviderError } from '../errors.js'
import { requireToken, type VaultTransit } from './vault-options.js'
import { waitFor } from '../keys/waiting.js'

/** What is asked of the transit engine. Neither leaves anything behind on the server, so that both can be asked again. */
export type TransitOperation = 'encrypt' | 'decrypt'

/** An answer has a few hundred bytes; whoever answers for the server may send anything. */
const LARGEST_ANSWER = 65_536
const LONGEST_REASON = 300
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 5_000
/** 412: a replica has not seen the token yet. The others: too busy, or down for a moment. */
const TRANSIENT_STATUS = new Set([412, 429, 500, 502, 503, 504])

interface Answer {
  readonly status: number
  /** The body as JSON, undefined where it is none. */
  readonly json: unknown
  /** Seconds, where the server asks to wait. */
  readonly retryAfter: number
}

/** What came of one request: the `data` of the answer, or an error that may pass. */
type Outcome = { readonly data: unknown } | { readonly failure: ProviderError; readonly pause: number }

async function readBounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  if (response.body === null) return new Uint8Array(0)
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += part.length
    // Leaving the loop cancels the rest.
    if (size > LARGEST_ANSWER) throw new Error(`the answer is longer than ${LARGEST_ANSWER} bytes`)
    parts.push(part)
  }
  return concatBytes(...parts)
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}

function fieldOf(json: unknown, name: string): unknown {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, name)
    ? (json as Record<string, unknown>)[name]
    : undefined
}

/** The server's own words, as far as they can be shown: short, on one line, without what must stay secret. */
function reasonOf(json: unknown, secrets: readonly string[]): string {
  const errors = fieldOf(json, 'errors')
  const texts = Array.isArray(errors) ? errors.filter((text) => typeof text === 'string') : []
  const shown = secrets.reduce((text, secret) => text.replaceAll(secret, '(withheld)'), texts.join('; '))
  const line = shown.replace(/[\p{Cc}\p{Cs}\s]+/gu, ' ').trim()
  return line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON)}…` : line
}

/** What a status means here, and what to do. */
function explain({ key, mount }: VaultTransit, operation: TransitOperation, status: number, reason: string): string {
  if (status === 403) return `refused the token: it is wrong or has expired, or may not update ${mount}/${operation}/${key}`
  if (status === 404) return `has nothing at ${mount}: is the transit engine mounted there, in this namespace?`
  if (status === 503 && /sealed/i.test(reason)) return 'is sealed: it has to be unsealed first'
  if (status === 429) return 'has too many requests'
  if (status >= 300 && status < 400) return 'sends elsewhere, where the token does not follow: give that address'
  if (status === 400 && /key not found/i.test(reason)) return `has no key '${key}' at ${mount}`
  if (status === 400 && operation === 'decrypt') return `does not decrypt the slot with key '${key}'`
  return `cannot ${operation} with key '${key}'`
}

/** Asks once. */
async function ask(
  vault: VaultTransit,
  operation: TransitOperation,
  body: string,
  token: string,
  signal: AbortSignal,
): Promise<Answer> {
  const { address, mount, key, namespace } = vault
  const response = await vault.fetch(`${address}/v1/${mount}/${operation}/${key}`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-Vault-Request': 'true',
      'X-Vault-Token': token,
      ...(namespace !== undefined && { 'X-Vault-Namespace': namespace }),
    },
    body,
    // `fetch` would take the token along to wherever it is sent.
    redirect: 'manual',
    signal,
  })
  const json = parseJson(await readBounded(response))
  return { status: response.status, json, retryAfter: Number(response.headers.get('retry-after') ?? 0) }
}

/**
 * Asks the transit engine for one thing, and again where that may help.
 *
 * @param request - As it goes into the body.
 * @param field - What the answer must hold.
 * @returns the text in that field.
 * @throws ProviderError `ERR_SEALFILE_PROVIDER`, with its cause and without the token.
 * @throws the caller's signal's reason.
 */
export async function callTransit(
  vault: VaultTransit,
  operation: TransitOperation,
  request: Readonly<Record<string, string>>,
  field: 'ciphertext' | 'plaintext',
  signal: AbortSignal | undefined,
): Promise<string> {
  const where = `the key service at '${vault.address}'`
  const deadline = AbortSignal.timeout(vault.timeout)
  const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
  const secrets = request.plaintext === undefined ? [] : [request.plaintext]

  const attempt = async (): Promise<Outcome> => {
    const token = requireToken('options.getToken()', await waitFor(Promise.resolve(vault.getToken({ signal: either })), either))
    let answer: Answer
    try {
      answer = await ask(vault, operation, JSON.stringify(request), token, either)
    } catch (cause) {
      either.throwIfAborted()
      return { failure: new ProviderError(`${where} could not be reached, or broke off`, { cause }), pause: 0 }
    }
    const { status, json, retryAfter } = answer
    if (status === 200) return { data: fieldOf(json, 'data') }
    const reason = reasonOf(json, [token, ...secrets])
    const cause = Object.assign(new Error(`HTTP status ${status}${reason === '' ? '' : `: ${reason}`}`), { status })
    const failure = new ProviderError(`${where} ${explain(vault, operation, status, reason)} (${cause.message})`, { cause })
    if (!TRANSIENT_STATUS.has(status) || /sealed/i.test(reason)) throw failure
    return { failure, pause: retryAfter > 0 ? retryAfter * 1000 : 0 }
  }

  let last: ProviderError | undefined
  try {
    signal?.throwIfAborted()
    for (let retry = 0; ; retry++) {
      const outcome = await attempt()
      if ('data' in outcome) {
        const text = fieldOf(outcome.data, field)
        if (typeof text !== 'string') throw new ProviderError(`${where} gave no ${field}`)
        return text
      }
      last = outcome.failure
      if (retry >= vault.retries) throw last
      await sleep(Math.min(Math.max(outcome.pause, FIRST_PAUSE * 2 ** retry), LONGEST_PAUSE), undefined, { signal: either })
    }
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof ProviderError) throw error
    if (deadline.aborted) throw new ProviderError(`${where} did not answer within ${vault.timeout} ms`, { cause: last ?? error })
    throw new ProviderError('there is no token for the key service', { cause: error })
  }
}
