// A sign-in that a route of the host's has opened, handed out as /login hands out its own: external logins, passkeys, links in mails. Whether
// the request came from where it should is for that route to check (the `state` of an external login, for example).
import type { FastifyReply } from 'fastify'
import type { SignedIn } from '../accounts/sign-in/sign-in-manager.js'
import { CookiesOff } from '../errors.js'
import { named } from './json-schema.js'
import type { Realm } from './context.js'
import { setCookie } from './cookie.js'
import { tokenPair } from './token-pair.js'

/** What a sign-in is handed out with. Each takes `signedIn` of a sign-in of this realm that succeeded within the last minute. */
export interface SignInAnswers {
  /**
   * Answers a request with a pair of tokens, as `POST /login` does: `tokenType`, `accessToken`, `expiresIn`, `refreshToken`.
   *
   * @throws TypeError for a sign-in of another realm, or one of more than a minute ago
   * @throws FST_IDENTITY_TOKEN_TOO_LARGE
   */
  sendTokens<Reply extends FastifyReply>(reply: Reply, signedIn: SignedIn): Reply
  /**
   * Sets the cookie as `POST /login?useSessionCookies=true` does, or with `isPersistent` (default false) as `?useCookies=true`; what the request
   * is answered with stays the route's business.
   *
   * @throws TypeError for a sign-in of another realm, or one of more than a minute ago
   * @throws FST_IDENTITY_COOKIES_OFF, FST_IDENTITY_COOKIE_TOO_LARGE
   */
  setCookie(reply: FastifyReply, signedIn: SignedIn, options?: { readonly isPersistent?: boolean }): void
}

// Whether a session has ended is remembered for a minute longer than a ticket may live: one that is made later could outlive that.
const handOutMilliseconds = 60_000

export function createSignInAnswers(realm: Realm): SignInAnswers {
  function fresh(signedIn: SignedIn): SignedIn {
    if (!realm.signIn.isOwn(signedIn))
      throw new TypeError(`This is no sign-in of the realm '${realm.options.decorator}'`)
    if (realm.clock() - signedIn.authenticatedAt > handOutMilliseconds)
      throw new TypeError('This sign-in is more than a minute old')
    return signedIn
  }

  return {
    sendTokens(reply, signedIn) {
      const pair = named(tokenPair(realm, fresh(signedIn)), realm.options.jsonNaming)
      reply.headers({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'content-type': 'application/json; charset=utf-8',
      })
      reply.send(JSON.stringify(pair))
      return reply
    },
    setCookie(reply, signedIn, { isPersistent = false } = {}) {
      if (!realm.options.cookies) throw new CookiesOff()
      setCookie(realm, reply.request, reply, fresh(signedIn), isPersistent)
    },
  }
}
