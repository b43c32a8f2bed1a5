// Sends the client's requests: with the access token to the client's own server, once more after a 401, and without it to any other.
import { errorOf } from './client-error.js'
import { createKeeper, type Keeper, type Tokens, type TokenStorage } from './keeper.js'

/** What `createIdentityClient` takes. */
export interface ClientOptions {
  /** Origin and prefix of the endpoints, `https://api.example.com/account`; in a browser also `/account`. */
  readonly baseUrl: string | URL
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
  /** Default: memory. */
  readonly storage?: TokenStorage
  /** true: the browser keeps a cookie that no script can read, and the client keeps nothing. Default false. */
  readonly cookies?: boolean
  /**
   * How long a call waits for `/refresh`, and for other calls that wait for it, before it fails with a TimeoutError. Milliseconds, default
   * 15,000.
   */
  readonly refreshTimeoutMilliseconds?: number
}

export interface Transport {
  readonly keeper: Keeper
  /** A signal that fires once a call has waited for `/refresh` for as long as it may, from now on. */
  readonly deadline: () => AbortSignal
  /** The URL of an endpoint. */
  readonly urlOf: (path: string) => URL
  readonly send: typeof fetch
  /** Sends a request with the access token, and once more with a newer one when the first is refused. */
  readonly call: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
  /** The tokens, renewed when they are due. */
  readonly due: (deadline: AbortSignal) => Promise<Tokens | null>
  /** Asks a public endpoint: without a token, and a 401 does not concern it. @throws IdentityClientError */
  readonly post: (path: string, init?: RequestInit) => Promise<void>
  /** Asks an endpoint. @throws IdentityClientError */
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>
  /** The body of an endpoint's answer, which is according to its schema. @throws IdentityClientError */
  readonly read: <T>(path: string, init?: RequestInit) => Promise<T>
}

/** @throws TypeError when `baseUrl` is no absolute URL, outside of a browser */
export function createTransport(options: ClientOptions): Transport {
  const { storage, cookies = false, refreshTimeoutMilliseconds = 15_000 } = options
  const { location } = globalThis as { location?: { href: string } } // browsers have one
  const base = new URL(String(options.baseUrl).replace(/\/*$/, '/'), location?.href)
  const send: typeof fetch = (input, init) => (options.fetch ?? globalThis.fetch)(input, init)
  const keeper = createKeeper(storage, `fastify-identity ${base.href}`, (refreshToken, signal) =>
    send(urlOf('refresh'), { ...jsonOf({ refreshToken }), signal }),
  )

  function newDeadline(): AbortSignal {
    return AbortSignal.timeout(refreshTimeoutMilliseconds)
  }

  function urlOf(path: string): URL {
    return new URL(path, base)
  }

  async function call(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(typeof input === 'string' ? urlOf(input) : input, init)
    if (new URL(request.url).origin !== base.origin) return send(request)
    if (cookies) return send(new Request(request, { credentials: 'include' }))
    const deadline = newDeadline()
    const tokens = await due(deadline)
    if (tokens === null) return send(request)
    const again = request.clone()
    const answer = await send(withToken(request, tokens.accessToken))
    if (answer.status !== 401) return answer
    // One deadline for both: a renewal that was given up before the request is not awaited again.
    const second = deadline.aborted ? deadline : newDeadline()
    const newer = await keeper.alone(() => keeper.renew(tokens, second), second)
    if (newer === null) return answer
    await answer.body?.cancel()
    return send(withToken(again, newer.accessToken))
  }

  async function due(deadline: AbortSignal): Promise<Tokens | null> {
    const tokens = await keeper.held()
    if (tokens === null || tokens.renewAt > Date.now()) return tokens
    // While they cannot be renewed the old ones may still be valid; if not, the server refuses them.
    return keeper.alone(() => keeper.renew(tokens, deadline), deadline).catch(() => tokens)
  }

  async function post(path: string, init?: RequestInit): Promise<void> {
    const answer = await send(urlOf(path), { redirect: 'error', ...init })
    if (!answer.ok) throw await errorOf(answer)
  }

  async function ask(path: string, init?: RequestInit): Promise<Response> {
    const answer = await call(urlOf(path), { redirect: 'error', ...init })
    if (!answer.ok) throw await errorOf(answer)
    return answer
  }

  async function read<T>(path: string, init?: RequestInit): Promise<T> {
    return (await (await ask(path, init)).json()) as T
  }

  return { keeper, deadline: newDeadline, urlOf, send, call, due, post, ask, read }
}

/** No endpoint answers with a redirect: one would carry a password or a refresh token to another place, so it is an error. */
export function jsonOf(body: object): RequestInit {
  const headers = { 'content-type': 'application/json' }
  return { method: 'POST', headers, body: JSON.stringify(body), redirect: 'error' }
}

function withToken(request: Request, accessToken: string): Request {
  const headers = new Headers(request.headers)
  headers.set('authorization', `Bearer ${accessToken}`)
  return new Request(request, { headers })
}
