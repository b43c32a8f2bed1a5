// POST /refresh: a new pair for a refresh token. Why one is refused is never told.
import { Type } from '@sinclair/typebox'
import { withoutBlanks } from '../blanks.js'
import { sendChallenge } from '../http/problem.js'
import type { Realm } from '../http/context.js'
import { tokenPair } from '../http/token-pair.js'
import { keyIdOf } from '../tokens/seal.js'
import { openTicket } from '../tokens/ticket.js'
import { AccessTokenResponse, Empty, malformed, unavailable, unreadable } from './answers.js'
import { endpoint, on } from './endpoint.js'

const RefreshRequest = Type.Object(
  {
    // The reference reads null here and answers 401.
    refreshToken: Type.Union([Type.String(), Type.Null()]),
  },
  { title: 'RefreshRequest' },
)

export const refresh = endpoint(
  {
    name: 'refresh',
    switch: {
      /**
       * `POST /refresh`: exchanges a refresh token for a new pair.
       * @default `true`
       */
      refresh: on(),
    },
    method: 'POST',
    path: '/refresh',
    auth: 'anonymous',
    summary: 'Exchange a refresh token for a new pair',
    description:
      'Each refresh token is good for one exchange; a repeated request within the time of grace gets the same successor.',
    body: RefreshRequest,
    answers: {
      200: AccessTokenResponse,
      400: malformed,
      401: Empty('The refresh token is not accepted'),
      ...unreadable,
      503: unavailable,
    },
  },
  (realm: Realm) => ({
    async handler(request, reply) {
      const { refreshToken: given } = request.body
      if (given === null) return sendChallenge(reply)
      const refreshToken = withoutBlanks(given)
      const keyId = keyIdOf(refreshToken, 'refresh')
      if (keyId !== null && realm.keys.find(keyId) === null) await realm.keys.reload()
      const now = Math.floor(realm.clock() / 1000)
      const ticket = openTicket((id) => realm.keys.find(id), 'refresh', refreshToken, now)
      const signedIn = ticket && (await realm.signIn.refresh(ticket))
      return signedIn === null ? sendChallenge(reply) : tokenPair(realm, signedIn)
    },
  }),
)
