// What a ticket says about a person: built once per sign-in, refresh or validation from what the database says now.
import type { Ticket } from '../../tokens/ticket.js'
import { stampMark } from '../../tokens/stamp.js'
import type { SignedIn } from './sign-in-manager.js'

/** How long a ticket lives, and what only one kind of ticket carries. */
export interface TicketTerms {
  readonly lifetimeSeconds: number
  /** Place in the session's chain of refresh tokens. */
  readonly counter?: number
  /** The cookie outlives the browser. */
  readonly persistent?: boolean
}

/** The ticket of a session as of `nowMilliseconds`; it never outlives the session. */
export function ticketOf(signedIn: SignedIn, nowMilliseconds: number, terms: TicketTerms): Ticket {
  const { user, roles, claims, sessionId, amr } = signedIn
  const now = Math.floor(nowMilliseconds / 1000)
  const sessionExpiresAt = Math.floor(signedIn.sessionExpiresAt / 1000)
  return {
    userId: user.id,
    sessionId,
    userName: user.userName,
    email: user.email,
    stamp: stampMark(user.securityStamp),
    issuedAt: now,
    expiresAt: Math.min(now + terms.lifetimeSeconds, sessionExpiresAt),
    authenticatedAt: Math.floor(signedIn.authenticatedAt / 1000),
    sessionExpiresAt,
    validatedAt: now,
    amr,
    roles,
    claims,
    counter: terms.counter ?? 0,
    persistent: terms.persistent ?? false,
  }
}
