// POST /logout: ends the caller's session, bearer or cookie. Not in the reference, whose documentation adds one by
// hand.
import { Type } from '@sinclair/typebox'
import { sendEmpty } from '../http/problem.js'
import { type ActingContext, isClosedTo } from '../http/acting.js'
import { callerOf } from '../http/principal.js'
import { clearCookie, type CookieContext } from '../http/cookie.js'
import type { CausedSessionManager } from '../accounts/sessions/session-manager.js'
import { Empty, malformed, nobody, problem, unavailable, unreadable } from './answers.js'
import { endpoint, on } from './endpoint.js'

const LogoutQuery = Type.Object({
  scope: Type.Optional(
    Type.Union([Type.Literal('others'), Type.Literal('all')], {
      description: 'others: all sessions of the user but this one; all: every session. Without it: this session',
    }),
  ),
})

interface LogoutNeeds extends CookieContext, ActingContext {
  readonly options: CookieContext['options'] & ActingContext['options']
  readonly sessions: Pick<CausedSessionManager, 'revoke' | 'revokeAll'>
}

export const logout = endpoint(
  {
    name: 'logout',
    switch: {
      /**
       * `POST /logout`: ends sessions.
       * @default `true`
       */
      logout: on(),
    },
    method: 'POST',
    path: '/logout',
    auth: 'signedIn',
    summary: 'Log out',
    description:
      'Ends this session; with scope=others all others, with scope=all every one. Their tokens and cookies are refused at once. Takes no body, or {}.',
    query: LogoutQuery,
    body: Type.Object({}),
    bodyIsOptional: true,
    answers: {
      200: Empty('The session of the request has ended, or those of scope; their tokens and cookies are refused'),
      400: malformed('scope is neither others nor all, or the body is neither missing nor a JSON object'),
      401: nobody,
      403: problem(
        'The request has our cookie and comes from a page of another origin. Without a body: scope is given while another person acts for the user',
      ),
      ...unreadable,
      503: unavailable,
    },
  },
  (needs: LogoutNeeds) => ({
    async handler(request, reply) {
      const caller = callerOf(needs, request)
      const { userId, sessionId, scheme } = caller
      const { scope } = request.query
      if (scope !== undefined && isClosedTo(needs, caller)) return sendEmpty(reply, 403)
      if (scope === undefined) await needs.sessions.revoke(sessionId, { cause: 'signOut' })
      else
        await needs.sessions.revokeAll(userId, { cause: 'signOut', ...(scope === 'others' && { except: sessionId }) })
      if (scheme === 'cookie' && scope !== 'others') clearCookie(needs, request, reply)
      return sendEmpty(reply, 200)
    },
  }),
)
