// `fastify-identity/client`: the endpoints as typed functions, for browsers and Node. Keeps the tokens, or leaves
// that to a cookie; renews them before they expire and after a 401; sends them to their own server only. Imports
// nothing but its own files.
import type {
  Confirmation,
  Credentials,
  Info,
  InfoChange,
  LoginFailure,
  LoginResult,
  NewAccount,
  PasswordReset,
  Session,
  SessionsPage,
  TokenAnswer,
  TwoFactor,
  TwoFactorChange,
} from './answers.js'
import { errorOf, IdentityClientError } from './client-error.js'
import { createKeeper, type Tokens, type TokenStorage } from './keeper.js'

export type * from './answers.js'
export { IdentityClientError } from './client-error.js'
export type { Tokens, TokenStorage } from './keeper.js'

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

/** `Fields` are those of option `profile`, which `register` takes and `info` returns. */
export interface IdentityClient<Fields extends object = object> {
  /**
   * For the host's own routes: like the global `fetch`, with the access token when the URL has the origin of
   * `baseUrl`. A relative URL is resolved against that. Returns the guard's 401 when the user is not signed in any
   * more.
   * @throws IdentityClientError when the token was refused and cannot be renewed now; a TimeoutError when `/refresh`
   * did not answer in time
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** Creates an account; does not sign in. */
  register(account: NewAccount & Fields): Promise<void>
  /**
   * Signs in and keeps the tokens, or the cookie in cookie mode.
   * @param options `isPersistent: false` in cookie mode: until the browser closes
   */
  login(credentials: Credentials, options?: { readonly isPersistent?: boolean }): Promise<LoginResult>
  /**
   * Renews the tokens now, for new roles and claims. False when not signed in; does nothing in cookie mode, where the
   * server renews.
   */
  refresh(): Promise<boolean>
  /** Ends this session, `others`, or `all`; forgets the tokens even when the server cannot be reached. */
  logout(scope?: 'others' | 'all'): Promise<void>
  /**
   * The access token for connections without headers (WebSocket, EventSource), renewed when it is due; null when not
   * signed in, and in cookie mode.
   */
  accessToken(): Promise<string | null>
  /** Whether tokens are kept here; in cookie mode only the server knows: call `info`. */
  isSignedIn(): Promise<boolean>
  /** The account of the user as stored now, with profile fields. */
  info(): Promise<Info & Fields>
  /** Changes password, address or profile fields; returns the account as it is then. */
  changeInfo(change: InfoChange & Partial<Fields>): Promise<Info & Fields>
  /** Reads the second factor, or changes it: key, codes, on, off. */
  twoFactor(change?: TwoFactorChange): Promise<TwoFactor>
  /** Those that can still be used, newest first. @param page at most `limit` (1 to 100, default 50), older than `after` */
  sessions(page?: SessionsPage): Promise<readonly Session[]>
  /** False when the caller has no such session. */
  endSession(id: string): Promise<boolean>
  /** Confirms an address by what its mailed link carries. */
  confirmEmail(confirmation: Confirmation): Promise<void>
  /** Has the confirmation link mailed again. Succeeds for unknown addresses too. */
  resendConfirmationEmail(email: string): Promise<void>
  /** Has a code or link mailed that resets the password. Succeeds for unknown addresses too. */
  forgotPassword(email: string): Promise<void>
  /** Sets a password by a mailed code; ends all sessions of the user. */
  resetPassword(reset: PasswordReset): Promise<void>
}

/**
 * Makes a client of the endpoints below `baseUrl`. `Fields` are those of option `profile`.
 *
 * @throws TypeError when `baseUrl` is no absolute URL, outside of a browser
 * @example const client = createIdentityClient({ baseUrl: '/account' })
 */
export function createIdentityClient<Fields extends object = object>(options: ClientOptions): IdentityClient<Fields> {
  const { storage, cookies = false, refreshTimeoutMilliseconds = 15_000 } = options
  const { location } = globalThis as { location?: { href: string } } // browsers have one
  const base = new URL(String(options.baseUrl).replace(/\/*$/, '/'), location?.href)
  const send: typeof fetch = (input, init) => (options.fetch ?? globalThis.fetch)(input, init)
  const keeper = createKeeper(storage, `fastify-identity ${base.href}`, (refreshToken, signal) =>
    send(urlOf('refresh'), { ...jsonOf({ refreshToken }), signal }),
  )

  function renewalDeadline(): AbortSignal {
    return AbortSignal.timeout(refreshTimeoutMilliseconds)
  }

  function urlOf(path: string): URL {
    return new URL(path, base)
  }

  /** Sends a request with the access token, and once more with a newer one when the first is refused. */
  async function call(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(typeof input === 'string' ? urlOf(input) : input, init)
    if (new URL(request.url).origin !== base.origin) return send(request)
    if (cookies) return send(new Request(request, { credentials: 'include' }))
    const deadline = renewalDeadline()
    const tokens = await due(deadline)
    if (tokens === null) return send(request)
    const again = request.clone()
    const answer = await send(withToken(request, tokens.accessToken))
    if (answer.status !== 401) return answer
    // One deadline for both: a renewal that was given up before the request is not awaited again.
    const second = deadline.aborted ? deadline : renewalDeadline()
    const newer = await keeper.alone(() => keeper.renew(tokens, second), second)
    if (newer === null) return answer
    await answer.body?.cancel()
    return send(withToken(again, newer.accessToken))
  }

  /** The tokens, renewed when they are due. */
  async function due(deadline: AbortSignal): Promise<Tokens | null> {
    const tokens = await keeper.held()
    if (tokens === null || tokens.renewAt > Date.now()) return tokens
    // While they cannot be renewed the old ones may still be valid; if not, the server refuses them.
    return keeper.alone(() => keeper.renew(tokens, deadline), deadline).catch(() => tokens)
  }

  /** Public endpoints: sent without a token, and a 401 does not concern it. */
  async function post(path: string, init?: RequestInit): Promise<void> {
    const answer = await send(urlOf(path), { redirect: 'error', ...init })
    if (!answer.ok) throw await errorOf(answer)
  }

  async function ask(path: string, init?: RequestInit): Promise<Response> {
    const answer = await call(urlOf(path), { redirect: 'error', ...init })
    if (!answer.ok) throw await errorOf(answer)
    return answer
  }

  // The endpoints answer according to their schemas.
  async function read<T>(path: string, init?: RequestInit): Promise<T> {
    return (await (await ask(path, init)).json()) as T
  }

  return {
    fetch: call,
    register: (account) => post('register', jsonOf(account)),
    async login(credentials, { isPersistent = true } = {}) {
      const query = cookies ? `?${isPersistent ? 'useCookies' : 'useSessionCookies'}=true` : ''
      const answer = await send(urlOf(`login${query}`), {
        ...jsonOf(credentials),
        ...(cookies ? { credentials: 'include' } : {}),
      })
      if (!answer.ok) {
        const error = await errorOf(answer)
        const reason = failures.find((one) => one === error.detail)
        if (answer.status !== 401 || reason === undefined) throw error
        return { succeeded: false, reason, requiresTwoFactor: reason === 'RequiresTwoFactor' }
      }
      if (!cookies) {
        const tokens = (await answer.json()) as TokenAnswer
        await keeper.alone(() => keeper.keep(tokens))
      }
      return { succeeded: true }
    },
    refresh() {
      const deadline = renewalDeadline()
      return keeper.alone(async () => {
        const tokens = await keeper.held()
        return tokens !== null && (await keeper.renew(tokens, deadline)) !== null
      }, deadline)
    },
    async logout(scope) {
      try {
        await ask(scope === undefined ? 'logout' : `logout?scope=${scope}`, jsonOf({}))
      } catch (error) {
        // The caller was not signed in, which is the requested outcome.
        if (!(error instanceof IdentityClientError && error.status === 401)) throw error
      } finally {
        if (scope !== 'others') {
          // A renewal that does not answer must not keep the tokens: they are forgotten without waiting for it.
          await keeper.alone(() => keeper.forget(), renewalDeadline()).catch(() => keeper.forget())
        }
      }
    },
    accessToken: async () => (await due(renewalDeadline()))?.accessToken ?? null,
    isSignedIn: async () => (await keeper.held()) !== null,
    info: () => read('manage/info'),
    changeInfo: (change) => read('manage/info', jsonOf(change)),
    twoFactor: (change = {}) => read('manage/2fa', jsonOf(change)),
    sessions: ({ limit, after } = {}) => {
      const query = new URLSearchParams()
      if (limit !== undefined) query.set('limit', String(limit))
      if (after !== undefined) query.set('after', after)
      return read(query.size === 0 ? 'manage/sessions' : `manage/sessions?${query.toString()}`)
    },
    async endSession(id) {
      const answer = await call(urlOf(`manage/sessions/${encodeURIComponent(id)}`), {
        method: 'DELETE',
        redirect: 'error',
      })
      if (!answer.ok && answer.status !== 404) throw await errorOf(answer)
      return answer.ok
    },
    confirmEmail: (confirmation) => post(`confirmEmail?${new URLSearchParams({ ...confirmation }).toString()}`),
    resendConfirmationEmail: (email) => post('resendConfirmationEmail', jsonOf({ email })),
    forgotPassword: (email) => post('forgotPassword', jsonOf({ email })),
    resetPassword: (reset) => post('resetPassword', jsonOf(reset)),
  }
}

const failures: readonly LoginFailure[] = ['Failed', 'LockedOut', 'NotAllowed', 'RequiresTwoFactor']

/** No endpoint answers with a redirect: one would carry a password or a refresh token to another place, so it is an error. */
function jsonOf(body: object): RequestInit {
  const headers = { 'content-type': 'application/json' }
  return { method: 'POST', headers, body: JSON.stringify(body), redirect: 'error' }
}

function withToken(request: Request, accessToken: string): Request {
  const headers = new Headers(request.headers)
  headers.set('authorization', `Bearer ${accessToken}`)
  return new Request(request, { headers })
}
