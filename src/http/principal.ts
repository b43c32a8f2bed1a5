// The caller: the claims of a ticket with methods for guards and handlers. Frozen; never a query.
import type { FastifyRequest } from 'fastify'
import type { Ticket } from '../tokens/ticket.js'
import type { Claim } from '../store/users.js'

/** The scheme a request was authenticated by. */
export type Scheme = 'bearer' | 'cookie'

/** `request.identity`. */
export interface Principal {
  /** The id of the user. */
  readonly userId: string
  /** The user name when the ticket was made. */
  readonly userName: string
  /** The e-mail address when the ticket was made; null without one. */
  readonly email: string | null
  /** The session of this request; `app.identity.sessions.revoke` ends it. */
  readonly sessionId: string
  /** Whether the request came with a bearer token or with the cookie. */
  readonly scheme: Scheme
  /** All claims by their short registered names: sub, name, email, stored claims, role, amr, auth_time, sid. */
  readonly claims: readonly Claim[]
  /** Claims of this session alone, see `signIn.signIn`. */
  readonly sessionClaims: readonly Claim[]
  /** Names of the roles. */
  readonly roles: readonly string[]
  /** How the person signed in: `pwd`, or `mfa` where a second factor was used (RFC 8176). */
  readonly amr: readonly string[]
  /** When credentials were last proved, in milliseconds since the epoch. */
  readonly authenticatedAt: number
  /**
   * Aborts when this login ends: within a second of a logout, whatever instance it was on, and when its time is over. For connections that outlive
   * a request; made when it is asked for.
   */
  readonly signal: AbortSignal
  /** Exact comparison, as in the reference. */
  isInRole(role: string): boolean
  /** Whether there is a claim of the type, and with `value` one of that value. Exact comparison. */
  hasClaim(type: string, value?: string): boolean
  /** The first claim of a type; null without one. */
  findFirst(type: string): Claim | null
  /** All claims of a type. */
  findAll(type: string): readonly Claim[]
}

class TicketPrincipal implements Principal {
  readonly userId: string
  readonly userName: string
  readonly email: string | null
  readonly sessionId: string
  readonly roles: readonly string[]
  readonly amr: readonly string[]
  readonly authenticatedAt: number
  readonly #ticket: Ticket
  readonly #signalOf: SignalOf
  #claims: readonly Claim[] | null = null

  constructor(
    ticket: Ticket,
    readonly scheme: Scheme,
    signalOf: SignalOf,
  ) {
    this.#ticket = ticket
    this.#signalOf = signalOf
    this.userId = ticket.userId
    this.userName = ticket.userName
    this.email = ticket.email
    this.sessionId = ticket.sessionId
    // One principal serves all requests with its ticket.
    this.roles = Object.freeze(ticket.roles)
    this.amr = Object.freeze(ticket.amr)
    this.authenticatedAt = ticket.authenticatedAt * 1000
    Object.freeze(this)
  }

  /** Made on demand: most requests do not need them. */
  get claims(): readonly Claim[] {
    return (this.#claims ??= Object.freeze(claimsOf(this.#ticket).map((claim) => Object.freeze({ ...claim }))))
  }

  get sessionClaims(): readonly Claim[] {
    return this.#ticket.sessionClaims ?? []
  }

  get signal(): AbortSignal {
    return this.#signalOf(this.sessionId, this.#ticket.sessionExpiresAt * 1000)
  }

  static ticketOf(principal: Principal): Ticket | null {
    return #ticket in principal ? principal.#ticket : null
  }

  /** For JSON.stringify: the claims are no own property. */
  toJSON(): object {
    const { userId, userName, email, sessionId, scheme, claims, roles, amr, authenticatedAt } = this
    return { userId, userName, email, sessionId, scheme, claims, roles, amr, authenticatedAt }
  }

  isInRole(role: string): boolean {
    return this.roles.includes(role)
  }

  hasClaim(type: string, value?: string): boolean {
    return this.claims.some((claim) => claim.type === type && (value === undefined || claim.value === value))
  }

  findFirst(type: string): Claim | null {
    return this.claims.find((claim) => claim.type === type) ?? null
  }

  findAll(type: string): readonly Claim[] {
    return this.claims.filter((claim) => claim.type === type)
  }
}

/** The ticket that a principal was made of; null for what is none of ours. */
export function ticketBehind(principal: Principal | null): Ticket | null {
  return principal === null ? null : TicketPrincipal.ticketOf(principal)
}

/** Where the signal of a session comes from. */
export type SignalOf = (sessionId: string, expiresAt: number) => AbortSignal

export function createPrincipal(ticket: Ticket, scheme: Scheme, signalOf: SignalOf): Principal {
  return new TicketPrincipal(ticket, scheme, signalOf)
}

// In the reference's order: id, name, e-mail, stored claims, roles, and last those of the sign-in.
function claimsOf(ticket: Ticket): Claim[] {
  const { userId, userName, email, claims, roles, amr, authenticatedAt, sessionId, sessionClaims = [] } = ticket
  return [
    { type: 'sub', value: userId },
    { type: 'name', value: userName },
    ...(email === null ? [] : [{ type: 'email', value: email }]),
    ...claims,
    ...roles.map((value) => ({ type: 'role', value })),
    ...sessionClaims,
    ...amr.map((value) => ({ type: 'amr', value })),
    { type: 'auth_time', value: String(authenticatedAt) },
    { type: 'sid', value: sessionId },
  ]
}

/** The caller of a route behind a guard, which has filled the slot. */
export function callerOf({ slot }: { readonly slot: symbol }, request: FastifyRequest): Principal {
  const principal = (request as unknown as Record<symbol, Principal | null | undefined>)[slot] // the slot's symbol has no place in Fastify's types
  if (principal === undefined || principal === null) throw new Error('A route without a guard asked for its caller')
  return principal
}
