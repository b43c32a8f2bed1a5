// POST /refresh: a new pair for a refresh token. The reason for refusing one is never revealed.
import { Type } from '@sinclair/typebox'
import { withoutBlanks } from '../blanks.js'
import { documentedType } from '../http/document-schemas.js'
import { sendChallenge } from '../http/problem.js'
import { logRefusal, type Refusal } from '../http/refusals.js'
import { factsOf, type TicketContext, tokenPair } from '../http/tickets.js'
import type { Keys } from '../accounts/keys/key-manager.js'
import type { TicketSignIn } from '../accounts/sign-in/sign-in-manager.js'
import { keyIdOf } from '../tokens/seal.js'
import { secondsOf, openTicket } from '../tokens/ticket.js'
import { whyClosed } from '../tokens/why-closed.js'
import { AccessTokenResponse, answer, Empty, malformed, unavailable, unreadable } from './answers.js'
import { endpoint, on } from './endpoint.js'

const RefreshRequest = Type.Object(
  {
    // The reference reads null here and answers 401.
    refreshToken: Type.Union([Type.String(), Type.Null()], { [documentedType]: 'string' }),
  },
  { title: 'RefreshRequest' },
)

interface RefreshNeeds extends TicketContext {
  readonly keys: Pick<Keys, 'sealing' | 'find' | 'reload'>
  readonly signIn: Pick<TicketSignIn, 'refresh'>
}

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
      'The pair has the roles and claims of now. Each refresh token is good for one exchange; a repeated request within the time of grace gets the same successor.',
    body: RefreshRequest,
    answers: {
      200: answer('A new pair. The old refresh token is used up', AccessTokenResponse),
      400: malformed('The body is no well-formed JSON, or refreshToken is missing or no text'),
      401: Empty('The refresh token is wrong, expired or used up, or its session has ended'),
      ...unreadable,
      503: unavailable,
    },
  },
  (needs: RefreshNeeds) => ({
    async handler(request, reply) {
      const { refreshToken: given } = request.body
      const refuse = (reason: Refusal | (() => Refusal)) => {
        logRefusal(request, reason)
        return sendChallenge(reply)
      }
      if (given === null) return refuse('credentialsMissing')
      const refreshToken = /\s/.test(given) ? withoutBlanks(given) : given
      const keyId = keyIdOf(refreshToken, 'refresh')
      if (keyId !== null && needs.keys.find(keyId) === null) await needs.keys.reload()
      const now = secondsOf(needs.clock())
      const ticket = openTicket(needs.keys.find, 'refresh', refreshToken, now)
      if (ticket === null) return refuse(() => whyClosed(needs.keys.find, 'refresh', refreshToken, now))
      const signedIn = await needs.signIn.refresh(ticket, factsOf(request))
      return signedIn === null ? refuse('refreshRefused') : tokenPair(needs, signedIn)
    },
  }),
)
