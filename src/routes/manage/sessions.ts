// GET /manage/sessions and DELETE /manage/sessions/{id}: lists and ends the caller's own sessions. Not in the
// reference.
import { type Static, Type } from '@sinclair/typebox'
import { sendEmpty } from '../../http/problem.js'
import { callerOf, type Realm } from '../../http/context.js'
import { clearCookie } from '../../http/cookie.js'
import { crossOrigin, Empty, nobody, SessionResponse, unavailable } from '../answers.js'
import { endpoint, on } from '../endpoint.js'

const sessionsSwitch = {
  /**
   * `GET /manage/sessions` and `DELETE /manage/sessions/:id`: lists and ends the caller's sessions.
   * @default `true`
   */
  sessions: on(),
}

export const listSessions = endpoint(
  {
    name: 'listSessions',
    switch: sessionsSwitch,
    method: 'GET',
    path: '/manage/sessions',
    auth: 'signedIn',
    summary: 'List the sessions of the caller, newest first',
    answers: { 200: Type.Array(SessionResponse), 401: nobody, 503: unavailable },
  },
  (realm: Realm) => ({
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
  }),
)

export const deleteSession = endpoint(
  {
    name: 'deleteSession',
    switch: sessionsSwitch,
    method: 'DELETE',
    path: '/manage/sessions/:id',
    auth: 'signedIn',
    summary: 'End a session of the caller',
    params: Type.Object({ id: Type.String() }),
    answers: {
      200: Empty('The session has ended'),
      401: nobody,
      403: crossOrigin,
      404: Empty('The caller has no such session'),
      503: unavailable,
    },
  },
  (realm: Realm) => ({
    async handler(request, reply) {
      const { userId, sessionId, scheme } = callerOf(realm, request)
      const { id } = request.params
      if (!(await realm.sessions.revoke(id, { userId }))) return sendEmpty(reply, 404)
      if (scheme === 'cookie' && id.toLowerCase() === sessionId) clearCookie(realm, request, reply)
      return sendEmpty(reply, 200)
    },
  }),
)
