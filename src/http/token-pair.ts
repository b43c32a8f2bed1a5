// Seals the access and refresh token of a session.
import type { SignedIn } from '../accounts/sign-in/sign-in-result.js'
import { ticketOf } from '../accounts/sign-in/ticket-claims.js'
import { sealTicket } from '../tokens/ticket.js'
import type { Realm } from './context.js'
import { withClaims } from './host-claims.js'

/** The reference's AccessTokenResponse, in its order. */
export interface TokenPair {
  readonly tokenType: 'Bearer'
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number
  readonly refreshToken: string
}

export function tokenPair(realm: Realm, signedIn: SignedIn): TokenPair {
  const now = realm.clock()
  const { accessTokenSeconds, refreshTokenSeconds } = realm.options.bearer
  const key = realm.keys.sealing()
  const access = ticketOf(withClaims(realm, signedIn), now, { lifetimeSeconds: accessTokenSeconds })
  return {
    tokenType: 'Bearer',
    accessToken: sealTicket(key, 'access', access),
    // Less than the option says only where the session ends sooner.
    expiresIn: access.expiresAt - access.issuedAt,
    refreshToken: sealTicket(
      key,
      'refresh',
      ticketOf(withClaims(realm, signedIn), now, { lifetimeSeconds: refreshTokenSeconds, counter: signedIn.counter }),
    ),
  }
}
