// Renews the sign-in of the caller of a host's own route with claims as they are now, and says whether that sign-in still holds. The user comes
// from the sealed ticket of the request alone: there is no method that takes one (CVE-2025-24070).
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SignedIn, TicketSignIn } from '../accounts/sign-in/sign-in-manager.js'
import type { User } from '../accounts/users/user.js'
import { authenticate, type AuthenticationContext } from './authenticate.js'

import { clearCookie, renewCookie } from './cookie.js'
import { isSameOrigin, sendForbiddenOrigin } from './cross-origin.js'
import { type Principal, ticketBehind } from './principal.js'
import { sendChallenge } from './problem.js'
import { logRefusal } from './refusals.js'
import { factsOf } from './tickets.js'
import { logUnknown, sentToken } from './unknown-caller.js'

/** The sign-in of the caller. */
export interface CallerAnswers {
  /**
   * Renews the caller's own sign-in, with the roles and claims of now, for example after the route has changed them. Hook `signingIn` is asked, as
   * for a refresh. Reference: `RefreshSignInAsync`, which takes a user; here the user is that of the request.
   *
   * @returns null for the cookie: a new one is set, and the route sends its own answer. Undefined once the reply is sent: for a bearer the pair of
   *   `sendTokens`, whose refresh token takes the place of the one that the client has; 401 where nobody is signed in any more; 403 for the cookie
   *   in an unsafe request of another site
   * @example if ((await app.identity.signIn.refreshSignIn(request, reply)) === null) return { renewed: true }
   */
  refreshSignIn(request: FastifyRequest, reply: FastifyReply): Promise<null | undefined>
  /**
   * The user of a caller, read again, if the session has not ended and the user's security stamp is the one that it lives under; null otherwise, and
   * the session ends where the stamp was changed by SQL. One query. Reference: `ValidateSecurityStampAsync`.
   *
   * @param principal `request.identity`
   */
  validateSecurityStamp(principal: Principal | null): Promise<User | null>
}

export interface CallerContext extends AuthenticationContext {
  readonly signIn: Pick<TicketSignIn, 'validate' | 'renew'>
}

/** @param sendPair sends a pair of tokens */
export function createCallerAnswers(
  context: CallerContext,
  sendPair: (reply: FastifyReply, signedIn: SignedIn) => FastifyReply,
): CallerAnswers {
  function refuse(request: FastifyRequest, reply: FastifyReply, principal: Principal | null): FastifyReply {
    if (principal === null) logUnknown(context.slot, request)
    else logRefusal(request, 'refreshRefused')
    if (principal?.scheme === 'cookie') clearCookie(context, request, reply)
    return sendChallenge(reply, principal?.scheme === 'bearer' || sentToken(context.slot, request))
  }

  return {
    async refreshSignIn(request, reply) {
      const principal = await authenticate(context, request, reply)
      if (principal?.scheme === 'cookie' && !isSameOrigin(context, request)) return sent(sendForbiddenOrigin(reply))
      const ticket = ticketBehind(principal)
      const signedIn = ticket === null ? null : await context.signIn.renew(ticket, factsOf(request))
      if (ticket === null || signedIn === null || context.denyList.has(ticket.sessionId))
        return sent(refuse(request, reply, principal))
      if (principal?.scheme === 'bearer') return sent(sendPair(reply, signedIn))
      renewCookie(context, request, reply, ticket, signedIn)
      return null
    },
    async validateSecurityStamp(principal) {
      const ticket = ticketBehind(principal)
      return ticket === null ? null : ((await context.signIn.renew(ticket, null))?.user ?? null)
    },
  }
}

// A reply is a thenable: it is fulfilled once it is sent.
async function sent(reply: FastifyReply): Promise<undefined> {
  await reply
}
