// POST /refresh: a new pair for a refresh token. Why one is refused is never told.
import { type Static, Type } from '@sinclair/typebox'
import { sendChallenge } from '../http/problem.js'
import type { Realm } from '../http/context.js'
import { tokenPair } from '../http/token-pair.js'
import { keyIdOf } from '../tokens/seal.js'
import { openTicket, type Ticket } from '../tokens/ticket.js'
import { AccessTokenResponse, Empty, malformed, unavailable, unreadable } from './answers.js'
import type { RouteDefinition } from './route.js'

const RefreshRequest = Type.Object({
  // The reference reads null here and answers 401.
  refreshToken: Type.Union([Type.String(), Type.Null()]),
})

export function refresh(realm: Realm): RouteDefinition {
  function open(token: string): Ticket | null {
    return openTicket((id) => realm.keys.find(id), 'refresh', token, Math.floor(realm.clock() / 1000))
  }

  return {
    method: 'POST',
    url: '/refresh',
    operationId: 'identityRefresh',
    summary: 'Exchange a refresh token for a new pair',
    description:
      'Each refresh token is good for one exchange; a repeated request within the time of grace gets the same successor.',
    body: RefreshRequest,
    response: {
      200: AccessTokenResponse,
      400: malformed,
      401: Empty('The refresh token is not accepted'),
      ...unreadable,
      503: unavailable,
    },
    async handler(request, reply) {
      const { refreshToken } = request.body as Static<typeof RefreshRequest> // checked by the route's schema
      if (refreshToken === null) return sendChallenge(reply)
      const keyId = keyIdOf(refreshToken, 'refresh')
      if (keyId !== null && realm.keys.find(keyId) === null) await realm.keys.reload()
      const ticket = open(refreshToken)
      const signedIn = ticket && (await realm.signIn.refresh(ticket))
      return signedIn === null ? sendChallenge(reply) : tokenPair(realm, signedIn)
    },
  }
}
