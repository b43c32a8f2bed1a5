// Makes the tickets of a sign-in: the access and refresh token of a pair, and the ticket of a cookie. A ticket
// contains the user as stored at the sign-in, refresh or validation, the claims of option `claims` among them.
// What the session keeps of the request is read here too.
import { stampMark } from '../tokens/fields.js'
import type { CurrentClaims } from '../accounts/sessions/current-claims.js'
import type { SignedIn } from '../accounts/sign-in/sign-in-result.js'
import type { Clock } from '../clock.js'
import type { UserWithGrants } from '../store/users.js'
import type { FastifyRequest } from 'fastify'
import type { SealingKey } from '../tokens/seal.js'
import { secondsOf, sealTicket, type Ticket } from '../tokens/ticket.js'

/** What tickets are made with. */
export interface TicketContext {
  readonly options: {
    readonly bearer: { readonly accessTokenSeconds: number; readonly refreshTokenSeconds: number }
  }
  readonly clock: Clock
  readonly keys: { sealing(): SealingKey }
  readonly currentClaims: Pick<CurrentClaims, 'learn'>
}

/** What a request says of its sender, for the list of sessions and for hook `signingIn`. */
export function factsOf(request: FastifyRequest): { readonly client: string | undefined; readonly address: string } {
  return { client: request.headers['user-agent'], address: request.ip }
}

/** The lifetime of a ticket, and the members of one kind of ticket only. */
export interface TicketTerms {
  readonly lifetimeSeconds: number
  /** Place in the session's chain of refresh tokens. */
  readonly counter?: number
  /** The cookie outlives the browser. */
  readonly persistent?: boolean
}

/** The reference's AccessTokenResponse, in its order. */
export interface TokenPair {
  readonly tokenType: 'Bearer'
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number
  readonly refreshToken: string
}

export function tokenPair(context: TicketContext, signedIn: SignedIn): TokenPair {
  const { accessTokenSeconds, refreshTokenSeconds } = context.options.bearer
  const key = context.keys.sealing()
  const access = ticketFor(context, signedIn, { lifetimeSeconds: accessTokenSeconds })
  // A refresh reads the user from the database.
  const refresh = ticketOf(signedIn, context.clock(), {
    lifetimeSeconds: refreshTokenSeconds,
    counter: signedIn.counter,
  })
  return {
    tokenType: 'Bearer',
    accessToken: sealTicket(key, 'access', access),
    // Less than the option only where the session ends sooner.
    expiresIn: access.expiresAt - access.issuedAt,
    refreshToken: sealTicket(key, 'refresh', { ...refresh, isPartial: true }),
  }
}

/** A ticket of now. */
export function ticketFor({ clock, currentClaims }: TicketContext, signedIn: SignedIn, terms: TicketTerms): Ticket {
  const ticket = ticketOf(signedIn, clock(), terms)
  // The next request asks for what has no room in it.
  if (ticket.isPartial === true) currentClaims.learn(signedIn)
  return ticket
}

// With the seal and base64url, a ticket of that size stays below what browsers and servers take: 4 kB and more.
const maxClaimBytes = 2048

/** The ticket of a session as of `nowMilliseconds`; it never outlives the session. One with too many claims is partial. */
export function ticketOf(signedIn: SignedIn, nowMilliseconds: number, terms: TicketTerms): Ticket {
  const { user, roles, claims, sessionId, amr, sessionClaims } = signedIn
  const now = secondsOf(nowMilliseconds)
  const sessionExpiresAt = secondsOf(signedIn.sessionExpiresAt)
  const ticket = {
    userId: user.id,
    sessionId,
    userName: user.userName,
    email: user.email,
    stamp: stampMark(user.securityStamp),
    issuedAt: now,
    expiresAt: Math.min(now + terms.lifetimeSeconds, sessionExpiresAt),
    authenticatedAt: secondsOf(signedIn.authenticatedAt),
    sessionExpiresAt,
    validatedAt: now,
    amr,
    roles,
    claims,
    counter: terms.counter ?? 0,
    persistent: terms.persistent ?? false,
    ...(sessionClaims.length === 0 ? {} : { sessionClaims }),
  }
  const bytes = Buffer.byteLength(JSON.stringify([ticket.userName, ticket.email, roles, claims, amr, sessionClaims]))
  return bytes > maxClaimBytes ? { ...ticket, isPartial: true } : ticket
}

/** What a ticket says with claims that were read of its user since; the claims of its session stay. */
export function withCurrent(ticket: Ticket, { user, roles, claims }: UserWithGrants): Ticket {
  return { ...ticket, userName: user.userName, email: user.email, roles, claims }
}
