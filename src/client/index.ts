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
import { type ClientOptions, createTransport, jsonOf } from './transport.js'

export type * from './answers.js'
export { IdentityClientError } from './client-error.js'
export type { Tokens, TokenStorage } from './keeper.js'
export type { ClientOptions } from './transport.js'

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
  const { cookies = false } = options
  const { keeper, deadline, urlOf, send, call, due, post, ask, read } = createTransport(options)

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
      const end = deadline()
      return keeper.alone(async () => {
        const tokens = await keeper.held()
        return tokens !== null && (await keeper.renew(tokens, end)) !== null
      }, end)
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
          await keeper.alone(() => keeper.forget(), deadline()).catch(() => keeper.forget())
        }
      }
    },
    accessToken: async () => (await due(deadline()))?.accessToken ?? null,
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
