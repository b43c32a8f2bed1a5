// POST /logout: ends the caller's session for real, bearer or cookie. Not in the reference, whose documentation adds one by hand.
import { Type } from '@sinclair/typebox'
import { requireAuthorization } from '../http/authorize.js'
import { sendEmpty } from '../http/problem.js'
import { callerOf, type Realm } from '../http/context.js'
import { clearCookie } from '../http/cookie.js'
import { crossOrigin, Empty, malformed, unavailable, unreadable } from './answers.js'
import type { RouteDefinition } from './route.js'

const LogoutQuery = Type.Object({
  scope: Type.Optional(
    Type.Union([Type.Literal('others'), Type.Literal('all')], {
      description: 'others: all sessions of the user but this one; all: every session. Without it: this session',
    }),
  ),
})

export function logout(realm: Realm): RouteDefinition {
  return {
    method: 'POST',
    url: '/logout',
    operationId: 'identityLogout',
    summary: 'Log out',
    description: 'Tokens and cookies of the sessions that end are refused at once. Takes no body, or {}.',
    guard: requireAuthorization({ decorator: realm.options.decorator }),
    query: LogoutQuery,
    body: Type.Object({}),
    bodyIsOptional: true,
    response: {
      200: Empty('Logged out'),
      400: malformed,
      401: Empty('Nobody is signed in'),
      403: crossOrigin,
      ...unreadable,
      503: unavailable,
    },
    async handler(request, reply) {
      const { userId, sessionId, scheme } = callerOf(realm, request)
      const { scope } = request.query as { scope?: 'others' | 'all' }
      if (scope === undefined) await realm.sessions.revoke(sessionId)
      else await realm.sessions.revokeAll(userId, scope === 'others' ? { except: sessionId } : {})
      if (scheme === 'cookie' && scope !== 'others') clearCookie(realm, request, reply)
      return sendEmpty(reply, 200)
    },
  }
}
