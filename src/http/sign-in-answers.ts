// Hands out a sign-in that a host's own route has opened (external logins, passkeys, links in mails) as /login does.
// That route must check the origin of its request, for example the `state` of an external login.
import type { FastifyReply } from 'fastify'
import type { SignedIn } from '../accounts/sign-in/sign-in-manager.js'
import { CookiesOff } from '../errors.js'
import { named } from './json-schema.js'
import { setCookie } from './cookie.js'
import type { MachineContext } from './remembered-machine.js'
import { type CallerAnswers, type CallerContext, createCallerAnswers } from './refresh-sign-in.js'
import { createTwoFactorAnswers, removeTwoFactorCookie, type TwoFactorAnswers } from './two-factor-answers.js'
import { tokenPair } from './tickets.js'

/** Answers with a sign-in. `signedIn` must be of a sign-in of this realm that succeeded within the last minute. */
export interface SignInAnswers extends TwoFactorAnswers, CallerAnswers {
  /**
   * Answers a request with a pair of tokens, as `POST /login` does: `tokenType`, `accessToken`, `expiresIn`, `refreshToken`.
   *
   * @throws TypeError for a sign-in of another realm, or one of more than a minute ago
   * @throws FST_IDENTITY_TOKEN_TOO_LARGE
   */
  sendTokens<Reply extends FastifyReply>(reply: Reply, signedIn: SignedIn): Reply
  /**
   * Sets the cookie as `POST /login?useSessionCookies=true` does, or with `isPersistent` (default false) as
   * `?useCookies=true`; the route still sends its own answer.
   *
   * @throws TypeError for a sign-in of another realm, or one of more than a minute ago
   * @throws FST_IDENTITY_COOKIES_OFF
   */
  setCookie(reply: FastifyReply, signedIn: SignedIn, options?: { readonly isPersistent?: boolean }): void
}

export interface SignInAnswersContext extends MachineContext, CallerContext {
  readonly options: MachineContext['options'] &
    CallerContext['options'] & { readonly jsonNaming: 'camelCase' | 'snake_case' }
  readonly keys: CallerContext['keys']
  readonly currentClaims: CallerContext['currentClaims']
  readonly signIn: CallerContext['signIn'] & { isOwn(signedIn: SignedIn): boolean }
}

// Ended sessions are kept for a minute longer than a ticket lives: a ticket that is made later than that could
// outlive its entry.
const handOutMilliseconds = 60_000

export function createSignInAnswers(context: SignInAnswersContext): SignInAnswers {
  function fresh(signedIn: SignedIn): SignedIn {
    if (!context.signIn.isOwn(signedIn))
      throw new TypeError(`This is no sign-in of the realm '${context.options.decorator}'`)
    if (context.clock() - signedIn.authenticatedAt > handOutMilliseconds)
      throw new TypeError('This sign-in is more than a minute old')
    return signedIn
  }

  function sendPair<Reply extends FastifyReply>(reply: Reply, signedIn: SignedIn): Reply {
    const pair = named(tokenPair(context, signedIn), context.options.jsonNaming)
    reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-type': 'application/json; charset=utf-8',
    })
    reply.send(JSON.stringify(pair))
    return reply
  }

  return {
    ...createTwoFactorAnswers(context),
    ...createCallerAnswers(context, sendPair),
    sendTokens(reply, signedIn) {
      const session = fresh(signedIn)
      removeTwoFactorCookie(context, reply)
      return sendPair(reply, session)
    },
    setCookie(reply, signedIn, { isPersistent = false } = {}) {
      if (!context.options.cookies) throw new CookiesOff()
      setCookie(context, reply.request, reply, fresh(signedIn), isPersistent)
      removeTwoFactorCookie(context, reply)
    },
  }
}
