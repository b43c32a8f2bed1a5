// Bearer header or cookie → request.identity. A request with a fresh ticket costs no query and no promise. A bearer
// token decides alone: a cookie is not tried after a bad one (as in the reference). The reason for refusing a token
// is never revealed.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Keys } from '../accounts/keys/key-manager.js'
import type { SignedIn, TicketSignIn } from '../accounts/sign-in/sign-in-manager.js'
import type { DenyList } from '../revocation/deny-list.js'
import type { Feed } from '../revocation/feed.js'
import type { TicketCache } from '../tokens/ticket-cache.js'
import { createPrincipal, type Principal, type Scheme, type SignalOf } from './principal.js'
import { DatabaseUnavailable, RevocationUnknown } from '../errors.js'
import { mapDatabaseError } from '../store/sql-errors.js'
import { withoutBlanks } from '../blanks.js'
import { keyIdOf } from '../tokens/seal.js'
import { secondsOf, isTimely, openTicket, type Ticket } from '../tokens/ticket.js'
import { isSameOrigin, type OriginContext } from './cross-origin.js'
import type { UserWithGrants } from '../store/users.js'
import { clockSkewSeconds } from '../tokens/fields.js'
import { factsOf, withCurrent } from './tickets.js'
import { whyClosed } from '../tokens/why-closed.js'
import { type Refusal } from './refusals.js'
import { logNull, noteUnknown } from './unknown-caller.js'
import type { CurrentClaims } from '../accounts/sessions/current-claims.js'
import type { ClaimChanges } from '../revocation/claim-changes.js'
import { clearCookie, type CookieContext, keepOneCookie, readCookies, renewCookie, slideCookie } from './cookie.js'

/** The dependencies of authentication. */
export interface AuthenticationContext extends CookieContext {
  readonly options: CookieContext['options'] &
    OriginContext['options'] & {
      readonly bearer: { readonly readToken: ((request: FastifyRequest) => string | null | undefined) | null }
      readonly securityStamp: { readonly validationSeconds: number }
    }
  readonly keys: Pick<Keys, 'sealing' | 'find' | 'reload'>
  readonly opened: TicketCache<Opened>
  /** Validations in progress, by session and stamp. */
  readonly validating: Map<string, Promise<SignedIn | null>>
  readonly denyList: Pick<DenyList, 'has'>
  /** Whose claims have changed while tickets with the old ones may be in use. */
  readonly claimChanges: Pick<ClaimChanges, 'sequence' | 'latest'>
  readonly currentClaims: CurrentClaims
  /** Aborts when a session ends, at the latest at a time in milliseconds since the epoch. */
  readonly signalOf: SignalOf
  /** With option `sessions.idleSeconds`: a request of this session was accepted. */
  readonly sessionUsed: ((sessionId: string) => void) | null
  readonly feed: Pick<Feed, 'state' | 'mayTrust'>
  readonly signIn: Pick<TicketSignIn, 'validate'>
  /** Whether a session still exists, for requests while the feed is stale. */
  isSessionLive(sessionId: string): Promise<boolean>
  /** The slot on a request that holds its caller. */
  readonly slot: symbol
}

/** An opened ticket, with its principal once one was needed. */
export interface Opened {
  readonly ticket: Ticket
  principal: Principal | null
  /** The sequence of changes of claims at which the principal was right. */
  sequence: number
}

/** A request's slot: undefined until the caller is known. */
type Slotted = Record<symbol, Principal | null | undefined>

type Answer = Principal | null | Promise<Principal | null>

/** The caller, determined once per request. Renews or clears the cookie when that is due. */
export function authenticate(context: AuthenticationContext, request: FastifyRequest, reply: FastifyReply): Answer {
  const slots = request as unknown as Slotted // the slot's symbol has no place in Fastify's types
  const known = slots[context.slot]
  if (known !== undefined) return known
  const answer = ask(context, request, reply)
  if (answer instanceof Promise) return answer.then((principal) => (slots[context.slot] = principal))
  return (slots[context.slot] = answer)
}

/**
 * The caller as far as the ticket shows, without a query: for routes without a guard. Null when another site has sent
 * our cookie: a guard refuses that request, and a handler that checks the caller itself must not act on it.
 */
export function peek(context: AuthenticationContext, request: FastifyRequest): Principal | null {
  const known = (request as unknown as Slotted)[context.slot]
  const principal = known === undefined ? glimpse(context, request) : known
  if (principal !== null && (principal.scheme !== 'cookie' || isSameOrigin(context, request))) return principal
  if (principal !== null) noteUnknown(context.slot, request, 'cookie', 'originForeign')
  logNull(context.slot, request)
  return null
}

function glimpse(context: AuthenticationContext, request: FastifyRequest): Principal | null {
  const credential = readCredential(context, request)
  if (credential === null) return null
  const unknown = (reason: Refusal) => noteUnknown(context.slot, request, credential.scheme, reason)
  const opened = openKnown(context, credential)
  if (opened === null) return unopened(context, request, credential)
  if (context.denyList.has(opened.ticket.sessionId)) return unknown('sessionEnded')
  const unsure =
    context.feed.state() === 'stale' ||
    context.feed.state() === 'blind' ||
    isValidationDue(context, credential.scheme, opened.ticket)
  if (unsure) return unknown('databaseNeeded')
  const principal = currentPrincipal(context, opened, credential.scheme)
  if (principal !== null) return principal
  // For the next request.
  void context.currentClaims.read(opened.ticket.userId).catch(() => undefined)
  return unknown('databaseNeeded')
}

interface Credential {
  readonly scheme: Scheme
  readonly token: string
  /** Of several cookies of our name. */
  readonly isOneOfSeveral?: boolean
}

function ask(context: AuthenticationContext, request: FastifyRequest, reply: FastifyReply): Answer {
  const credential = readCredential(context, request)
  if (credential === null) return null
  const opened = openKnown(context, credential)
  if (credential.isOneOfSeveral === true) keepOneCookie(context, request, reply, opened?.ticket ?? null)
  if (opened !== null) return admit(context, request, reply, credential, opened)
  // Another instance may have just made this key: read the ring again, at most once a second.
  const keyId = keyIdOf(credential.token, purposeOf(credential.scheme))
  if (keyId === null || context.keys.find(keyId) !== null) return unopened(context, request, credential)
  // While the ring cannot be read, the token may be valid: that is 503, not 401.
  return context.keys.reload().then(() => {
    const reopened = openKnown(context, credential)
    return reopened === null
      ? unopened(context, request, credential)
      : admit(context, request, reply, credential, reopened)
  })
}

/** The caller of a token that does not open. Why it does not is worked out where it is logged. */
function unopened(context: AuthenticationContext, request: FastifyRequest, { scheme, token }: Credential): null {
  const now = secondsOf(context.clock())
  return noteUnknown(context.slot, request, scheme, () =>
    token === '' && countAuthorizations(request) > 1
      ? 'authorizationTwice'
      : whyClosed((id) => context.keys.find(id), purposeOf(scheme), token, now),
  )
}

function readCredential(context: AuthenticationContext, request: FastifyRequest): Credential | null {
  const token = context.options.bearer.readToken?.(request) ?? readAuthorization(request)
  if (token !== null) return { scheme: 'bearer', token }
  const [cookie, ...others] = readCookies(context, request)
  if (cookie === undefined) return null
  if (others.length === 0) return { scheme: 'cookie', token: cookie }
  return { scheme: 'cookie', token: newestOf(context, [cookie, ...others]) ?? cookie, isOneOfSeveral: true }
}

/** Of several cookies of our name the one of the latest live session; the others are left from before `cookie.domain` was changed. */
function newestOf(context: AuthenticationContext, cookies: readonly string[]): string | null {
  let newest: { token: string; issuedAt: number } | null = null
  for (const token of cookies) {
    const ticket = openKnown(context, { scheme: 'cookie', token })?.ticket
    if (ticket === undefined || context.denyList.has(ticket.sessionId)) continue
    if (newest === null || ticket.issuedAt > newest.issuedAt) newest = { token, issuedAt: ticket.issuedAt }
  }
  return newest?.token ?? null
}

/** The bearer token; one that opens nothing where there are several fields, of which Node shows the first and a proxy may read the last. */
function readAuthorization(request: FastifyRequest): string | null {
  const { authorization } = request.headers
  if (authorization === undefined) return null
  return countAuthorizations(request) > 1 ? '' : readBearer(authorization)
}

function countAuthorizations({ raw }: FastifyRequest): number {
  let fields = 0
  for (let index = 0; index < raw.rawHeaders.length; index += 2) {
    const name = raw.rawHeaders[index]
    if (name?.length === 13 && name.toLowerCase() === 'authorization') fields++
  }
  return fields
}

/**
 * The token of `Authorization: Bearer token`; the scheme in any letter case (RFC 9110 §11.1). Null without bearer
 * credentials.
 */
function readBearer(header: string | undefined): string | null {
  if (header === undefined || header.length < 7 || header.charCodeAt(6) !== 0x20) return null
  const isBearer = header.startsWith('Bearer ') || header.slice(0, 6).toLowerCase() === 'bearer'
  if (!isBearer) return null
  const token = header.slice(7)
  return token.includes(' ') || token.includes('\t') ? withoutBlanks(token) : token
}

function purposeOf(scheme: Scheme): 'access' | 'cookie' {
  return scheme === 'bearer' ? 'access' : 'cookie'
}

/** The ticket, from the cache or opened now; the expiry is checked each time. */
function openKnown(context: AuthenticationContext, { scheme, token }: Credential): Opened | null {
  const now = secondsOf(context.clock())
  const purpose = purposeOf(scheme)
  const known = context.opened.get(purpose, token)
  if (known !== undefined) return isTimely(known.ticket, now) ? known : null
  const ticket = openTicket((id) => context.keys.find(id), purpose, token, now)
  if (ticket === null) return null
  const opened: Opened = { ticket, principal: null, sequence: -1 }
  context.opened.set(purpose, token, opened)
  return opened
}

/**
 * The principal with claims as they are now, built once for a ticket that is kept; null where they have to be read: something of this user has
 * changed since the ticket was made, or it is a partial one.
 */
function currentPrincipal(context: AuthenticationContext, opened: Opened, scheme: Scheme): Principal | null {
  const { sequence } = context.claimChanges
  if (opened.sequence === sequence && opened.principal !== null) return opened.principal
  const { ticket } = opened
  const since = ticket.validatedAt - clockSkewSeconds
  if (ticket.isPartial !== true && context.claimChanges.latest(ticket.userId, ticket.roles, since) === 0) {
    opened.principal ??= createPrincipal(ticket, scheme, context.signalOf)
  } else {
    const found = context.currentClaims.known(ticket.userId)
    if (found === null) return null
    opened.principal = createPrincipal(withCurrent(ticket, found), scheme, context.signalOf)
  }
  opened.sequence = sequence
  return opened.principal
}

/** The same, read where it has to be: once for all requests of the user that wait. Null for a user who is gone. */
function principalOf(
  context: AuthenticationContext,
  request: FastifyRequest,
  reply: FastifyReply,
  credential: Credential,
  opened: Opened,
): Answer {
  const { scheme } = credential
  const read = (found: UserWithGrants | null) =>
    found === null || context.denyList.has(opened.ticket.sessionId)
      ? refuse(context, request, reply, credential, found === null ? 'userGone' : 'sessionEnded')
      : (currentPrincipal(context, opened, scheme) ??
        createPrincipal(withCurrent(opened.ticket, found), scheme, context.signalOf))
  return currentPrincipal(context, opened, scheme) ?? context.currentClaims.read(opened.ticket.userId).then(read)
}

function isValidationDue(context: AuthenticationContext, scheme: Scheme, ticket: Ticket): boolean {
  return (
    scheme === 'cookie' &&
    context.clock() >= (ticket.validatedAt + context.options.securityStamp.validationSeconds) * 1000
  )
}

function admit(
  context: AuthenticationContext,
  request: FastifyRequest,
  reply: FastifyReply,
  credential: Credential,
  opened: Opened,
): Answer {
  const { ticket } = opened
  if (context.denyList.has(ticket.sessionId)) return refuse(context, request, reply, credential)
  context.sessionUsed?.(ticket.sessionId)
  if (isValidationDue(context, credential.scheme, ticket)) return validate(context, request, reply, credential, opened)
  switch (context.feed.state()) {
    case 'blind':
      throw new RevocationUnknown()
    case 'stale':
      return whileStale(context, request, reply, credential, opened)
    default:
      if (credential.scheme === 'cookie') slideCookie(context, request, reply, ticket)
      return principalOf(context, request, reply, credential, opened)
  }
}

function refuse(
  context: AuthenticationContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { scheme }: Credential,
  reason: Refusal = 'sessionEnded',
): null {
  if (scheme === 'cookie') clearCookie(context, request, reply)
  return noteUnknown(context.slot, request, scheme, reason)
}

// The feed is stale: each request asks the database itself, until that is known to be down.
async function whileStale(
  context: AuthenticationContext,
  request: FastifyRequest,
  reply: FastifyReply,
  credential: Credential,
  opened: Opened,
): Promise<Principal | null> {
  const live = await context.isSessionLive(opened.ticket.sessionId).catch((error: unknown) => orServe(context, error))
  return live ? principalOf(context, request, reply, credential, opened) : refuse(context, request, reply, credential)
}

// The reference reads a cookie's user again every 30 minutes and renews its claims; so do we, once for all requests
// meanwhile.
async function validate(
  context: AuthenticationContext,
  request: FastifyRequest,
  reply: FastifyReply,
  credential: Credential,
  opened: Opened,
): Promise<Principal | null> {
  const { ticket } = opened
  const { sessionId } = ticket
  // The result for a session without a stamp of its own depends on the ticket's.
  const question = `${sessionId} ${ticket.stamp}`
  let asking = context.validating.get(question)
  if (asking === undefined) {
    asking = context.signIn.validate(ticket, factsOf(request)).finally(() => context.validating.delete(question))
    context.validating.set(question, asking)
  }
  try {
    const signedIn = await asking
    if (signedIn === null || context.denyList.has(sessionId)) return refuse(context, request, reply, credential)
    return createPrincipal(renewCookie(context, request, reply, ticket, signedIn), 'cookie', context.signalOf)
  } catch (error) {
    orServe(context, error)
    return principalOf(context, request, reply, credential, opened)
  }
}

/** Without a database a session that is not known to have ended is accepted, for a limited time. */
function orServe(context: AuthenticationContext, error: unknown): true {
  if (!(mapDatabaseError(error) instanceof DatabaseUnavailable)) throw error
  if (!context.feed.mayTrust()) throw new RevocationUnknown()
  return true
}
