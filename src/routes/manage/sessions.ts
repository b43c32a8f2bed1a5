// GET /manage/sessions and DELETE /manage/sessions/{id}: lists and ends the caller's own sessions. Not in the
// reference.
import { type Static, Type } from '@sinclair/typebox'
import { sendEmpty, sendRefusal } from '../../http/problem.js'
import type { SessionManager } from '../../accounts/sessions/session-manager.js'
import type { AuthenticationContext } from '../../http/authenticate.js'
import { callerOf } from '../../http/principal.js'
import { clearCookie, type CookieContext } from '../../http/cookie.js'
import { acting, answer, closed, Empty, malformed, nobody, SessionResponse, unavailable } from '../answers.js'
import { documentedType } from '../../http/document-schemas.js'
import { endpoint, on } from '../endpoint.js'

const sessionsSwitch = {
  /**
   * `GET /manage/sessions` and `DELETE /manage/sessions/:id`: lists and ends the caller's sessions.
   * @default `true`
   */
  sessions: on(),
}

const SessionsQuery = Type.Object({
  limit: Type.Optional(
    Type.String({
      pattern: '^[1-9][0-9]{0,8}$',
      [documentedType]: 'integer',
      description: 'At most so many; never more than 100. Default 50',
    }),
  ),
  after: Type.Optional(
    Type.String({
      pattern: '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$',
      description: 'The id of the last session of the page before',
    }),
  ),
})

interface ListSessionsNeeds extends Pick<AuthenticationContext, 'slot'> {
  readonly sessions: Pick<SessionManager, 'list'>
}

export const listSessions = endpoint(
  {
    name: 'listSessions',
    switch: sessionsSwitch,
    method: 'GET',
    path: '/manage/sessions',
    auth: 'signedIn',
    summary: 'List the sessions of the caller that can still be used, newest first',
    description: 'A page holds 50 sessions, or `limit`. Where there are more, the header Link names the next page.',
    query: SessionsQuery,
    answers: {
      200: answer(
        'A page of sessions. Where there are more, the header Link names the next page',
        Type.Array(SessionResponse),
      ),
      400: malformed('limit is no whole number from 1 on, or after is no id'),
      401: nobody,
      403: acting,
      503: unavailable,
    },
  },
  (needs: ListSessionsNeeds) => ({
    async handler(request, reply) {
      const { userId, sessionId } = callerOf(needs, request)
      const { after } = request.query
      const limit = Math.min(Number(request.query.limit ?? 50), 100)
      // One more than the page holds, to see whether there is more.
      const found = await needs.sessions.list(userId, { after, limit: limit + 1 })
      const page = found.slice(0, limit)
      const last = page.at(-1)
      if (found.length > page.length && last !== undefined) {
        void reply.header('link', `<?limit=${limit}&after=${last.id}>; rel="next"`)
      }
      return page.map((session): Static<typeof SessionResponse> => ({
        id: session.id,
        createdAt: new Date(session.createdAt).toISOString(),
        lastSeenAt: new Date(session.lastSeenAt).toISOString(),
        client: session.client,
        amr: [...session.amr],
        current: session.id === sessionId,
        method: session.method,
        claims: [...session.claims],
        address: session.address,
      }))
    },
  }),
)

interface DeleteSessionNeeds extends CookieContext, Pick<AuthenticationContext, 'slot'> {
  readonly sessions: Pick<SessionManager, 'revoke'>
}

export const deleteSession = endpoint(
  {
    name: 'deleteSession',
    switch: sessionsSwitch,
    method: 'DELETE',
    path: '/manage/sessions/:id',
    auth: 'signedIn',
    summary: 'End a session of the caller',
    description: '404 if the caller has no such session.',
    params: Type.Object({ id: Type.String() }),
    answers: {
      200: Empty('The session has ended; its tokens and cookies are refused'),
      401: nobody,
      403: closed,
      404: Empty('The caller has no such session'),
      503: unavailable,
    },
  },
  (needs: DeleteSessionNeeds) => ({
    async handler(request, reply) {
      const { userId, sessionId, scheme } = callerOf(needs, request)
      const { id } = request.params
      if (!(await needs.sessions.revoke(id, { userId }))) return sendRefusal(reply, 404, 'sessionUnknown')
      if (scheme === 'cookie' && id.toLowerCase() === sessionId) clearCookie(needs, request, reply)
      return sendEmpty(reply, 200)
    },
  }),
)
