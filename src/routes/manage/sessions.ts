// GET /manage/sessions and DELETE /manage/sessions/{id}: the caller's own logins, to look at and to end. Not in the reference.
import { type Static, Type } from '@sinclair/typebox'
import { requireAuthorization } from '../../http/authorize.js'
import { sendEmpty } from '../../http/problem.js'
import { callerOf, type Realm } from '../../http/context.js'
import { clearCookie } from '../../http/cookie.js'
import { crossOrigin, Empty, SessionResponse, unavailable } from '../answers.js'
import type { RouteDefinition } from '../route.js'

const nobody = Empty('Nobody is signed in')

export function listSessions(realm: Realm): RouteDefinition {
  return {
    method: 'GET',
    url: '/manage/sessions',
    operationId: 'identityListSessions',
    summary: 'List the sessions of the caller, newest first',
    guard: requireAuthorization({ decorator: realm.options.decorator }),
    response: { 200: Type.Array(SessionResponse), 401: nobody, 503: unavailable },
    async handler(request) {
      const { userId, sessionId } = callerOf(realm, request)
      const sessions = await realm.sessions.list(userId)
      return sessions.map((session): Static<typeof SessionResponse> => ({
        id: session.id,
        createdAt: new Date(session.createdAt).toISOString(),
        lastSeenAt: new Date(session.lastSeenAt).toISOString(),
        client: session.client,
        amr: [...session.amr],
        current: session.id === sessionId,
      }))
    },
  }
}

const SessionParams = Type.Object({ id: Type.String() })

export function deleteSession(realm: Realm): RouteDefinition {
  return {
    method: 'DELETE',
    url: '/manage/sessions/:id',
    operationId: 'identityDeleteSession',
    summary: 'End a session of the caller',
    guard: requireAuthorization({ decorator: realm.options.decorator }),
    params: SessionParams,
    response: {
      200: Empty('The session has ended'),
      401: nobody,
      403: crossOrigin,
      404: Empty('The caller has no such session'),
      503: unavailable,
    },
    async handler(request, reply) {
      const { userId, sessionId, scheme } = callerOf(realm, request)
      const { id } = request.params as Static<typeof SessionParams> // checked by the route's schema
      if (!(await realm.sessions.revoke(id, { userId }))) return sendEmpty(reply, 404)
      if (scheme === 'cookie' && id.toLowerCase() === sessionId) clearCookie(realm, request, reply)
      return sendEmpty(reply, 200)
    },
  }
}
