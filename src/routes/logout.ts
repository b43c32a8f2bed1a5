// POST /logout: ends the caller's session, bearer or cookie. Not in the reference, whose documentation adds one by
// hand.
import { Type } from '@sinclair/typebox'
import { sendEmpty } from '../http/problem.js'
import { callerOf, type Realm } from '../http/context.js'
import { clearCookie } from '../http/cookie.js'
import { crossOrigin, Empty, malformed, nobody, unavailable, unreadable } from './answers.js'
import { endpoint, on } from './endpoint.js'

const LogoutQuery = Type.Object({
  scope: Type.Optional(
    Type.Union([Type.Literal('others'), Type.Literal('all')], {
      description: 'others: all sessions of the user but this one; all: every session. Without it: this session',
    }),
  ),
})

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
    description: 'Tokens and cookies of the sessions that end are refused at once. Takes no body, or {}.',
    query: LogoutQuery,
    body: Type.Object({}),
    bodyIsOptional: true,
    answers: {
      200: Empty('Logged out'),
      400: malformed,
      401: nobody,
      403: crossOrigin,
      ...unreadable,
      503: unavailable,
    },
  },
  (realm: Realm) => ({
    async handler(request, reply) {
      const { userId, sessionId, scheme } = callerOf(realm, request)
      const { scope } = request.query
      if (scope === undefined) await realm.sessions.revoke(sessionId)
      else await realm.sessions.revokeAll(userId, scope === 'others' ? { except: sessionId } : {})
      if (scheme === 'cookie' && scope !== 'others') clearCookie(realm, request, reply)
      return sendEmpty(reply, 200)
    },
  }),
)
