// Bearer header or cookie → request.identity. A request with a ticket that is fresh costs no query and no promise. A bearer token
// decides alone: a bad one is not rescued by a good cookie (as in the reference). Nothing here says why a token was refused.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { createPrincipal, type Principal, type Scheme } from './principal.js'
import { DatabaseUnavailable, RevocationUnknown } from '../errors.js'
import { mapDatabaseError } from '../store/sql-errors.js'
import { withoutBlanks } from '../blanks.js'
import { keyIdOf } from '../tokens/seal.js'
import { isTimely, openTicket, type Ticket } from '../tokens/ticket.js'
import { isSameOrigin } from './cross-origin.js'
import type { Opened, Realm, Slotted } from './context.js'
import { clearCookie, readCookie, renewCookie, slideCookie } from './cookie.js'

type Answer = Principal | null | Promise<Principal | null>

/** Who is calling; asked once per request. Renews or clears the cookie where that is due. */
export function authenticate(realm: Realm, request: FastifyRequest, reply: FastifyReply): Answer {
  const slots = request as unknown as Slotted // the slot's symbol has no place in Fastify's types
  const known = slots[realm.slot]
  if (known !== undefined) return known
  const answer = ask(realm, request, reply)
  if (answer instanceof Promise) return answer.then((principal) => (slots[realm.slot] = principal))
  return (slots[realm.slot] = answer)
}

/**
 * Who is calling, as far as it can be told without asking the database: for routes without a guard. Nobody, where another site has sent our
 * cookie: a guard refuses that, and a handler that decides by itself must not be led to act.
 */
export function peek(realm: Realm, request: FastifyRequest): Principal | null {
  const known = (request as unknown as Slotted)[realm.slot]
  const principal = known === undefined ? glimpse(realm, request) : known
  return principal?.scheme === 'cookie' && !isSameOrigin(realm, request) ? null : principal
}

function glimpse(realm: Realm, request: FastifyRequest): Principal | null {
  const credential = readCredential(realm, request)
  const opened = credential && openKnown(realm, credential)
  if (credential === null || opened === null || realm.denyList.has(opened.ticket.sessionId)) return null
  const unsure =
    realm.feed.state() === 'stale' ||
    realm.feed.state() === 'blind' ||
    isValidationDue(realm, credential.scheme, opened.ticket)
  return unsure ? null : principalOf(opened, credential)
}

interface Credential {
  readonly scheme: Scheme
  readonly token: string
}

function ask(realm: Realm, request: FastifyRequest, reply: FastifyReply): Answer {
  const credential = readCredential(realm, request)
  if (credential === null) return null
  const opened = openKnown(realm, credential)
  if (opened !== null) return admit(realm, request, reply, credential, opened)
  // A key that another instance has just made: look again, at most once a second.
  const keyId = keyIdOf(credential.token, purposeOf(credential.scheme))
  if (keyId === null || realm.keys.find(keyId) !== null) return null
  return realm.keys
    .reload()
    .catch(() => undefined)
    .then(() => {
      const reopened = openKnown(realm, credential)
      return reopened === null ? null : admit(realm, request, reply, credential, reopened)
    })
}

function readCredential(realm: Realm, request: FastifyRequest): Credential | null {
  const token = realm.options.bearer.readToken?.(request) ?? readBearer(request.headers.authorization)
  if (token !== null) return { scheme: 'bearer', token }
  const cookie = readCookie(realm, request)
  return cookie === null ? null : { scheme: 'cookie', token: cookie }
}

/** The token of `Authorization: Bearer token`; the scheme in any letter case (RFC 9110 §11.1). Null: no bearer credentials at all. */
function readBearer(header: string | undefined): string | null {
  if (header === undefined || header.length < 7 || header.charCodeAt(6) !== 0x20) return null
  const isBearer = header.startsWith('Bearer ') || header.slice(0, 6).toLowerCase() === 'bearer'
  return isBearer ? withoutBlanks(header.slice(7)) : null
}

function purposeOf(scheme: Scheme): 'access' | 'cookie' {
  return scheme === 'bearer' ? 'access' : 'cookie'
}

/** The ticket, opened now or lately; the expiry is asked each time. */
function openKnown(realm: Realm, { scheme, token }: Credential): Opened | null {
  const now = Math.floor(realm.clock() / 1000)
  const purpose = purposeOf(scheme)
  const known = realm.opened.get(realm.keys.version, purpose, token)
  if (known !== undefined) return isTimely(known.ticket, now) ? known : null
  const ticket = openTicket((id) => realm.keys.find(id), purpose, token, now)
  if (ticket === null) return null
  const opened: Opened = { ticket, principal: null }
  realm.opened.set(purpose, token, opened)
  return opened
}

/** Built once for a ticket that is kept. */
function principalOf(opened: Opened, { scheme }: Credential): Principal {
  return (opened.principal ??= createPrincipal(opened.ticket, scheme))
}

function isValidationDue(realm: Realm, scheme: Scheme, ticket: Ticket): boolean {
  return (
    scheme === 'cookie' && realm.clock() >= (ticket.validatedAt + realm.options.securityStamp.validationSeconds) * 1000
  )
}

function admit(
  realm: Realm,
  request: FastifyRequest,
  reply: FastifyReply,
  credential: Credential,
  opened: Opened,
): Answer {
  const { ticket } = opened
  if (realm.denyList.has(ticket.sessionId)) return refuse(realm, request, reply, credential)
  if (isValidationDue(realm, credential.scheme, ticket)) return validate(realm, request, reply, credential, opened)
  switch (realm.feed.state()) {
    case 'blind':
      throw new RevocationUnknown()
    case 'stale':
      return whileStale(realm, request, reply, credential, opened)
    default:
      if (credential.scheme === 'cookie') slideCookie(realm, request, reply, ticket)
      return principalOf(opened, credential)
  }
}

function refuse(realm: Realm, request: FastifyRequest, reply: FastifyReply, { scheme }: Credential): null {
  if (scheme === 'cookie') clearCookie(realm, request, reply)
  return null
}

// The feed hangs: each request asks for itself, until the database is known to be down.
async function whileStale(
  realm: Realm,
  request: FastifyRequest,
  reply: FastifyReply,
  credential: Credential,
  opened: Opened,
): Promise<Principal | null> {
  const live = await realm.isSessionLive(opened.ticket.sessionId).catch((error: unknown) => orServe(realm, error))
  return live ? principalOf(opened, credential) : refuse(realm, request, reply, credential)
}

// The reference reads a cookie's user again every 30 minutes and gives it fresh claims; so do we, once for all requests that come meanwhile.
async function validate(
  realm: Realm,
  request: FastifyRequest,
  reply: FastifyReply,
  credential: Credential,
  opened: Opened,
): Promise<Principal | null> {
  const { ticket } = opened
  const { sessionId } = ticket
  // Not for all cookies of a session: one of before a change of password must not share the verdict on one of after it.
  const question = `${sessionId} ${ticket.stamp}`
  let asking = realm.validating.get(question)
  if (asking === undefined) {
    asking = realm.signIn.validate(ticket).finally(() => realm.validating.delete(question))
    realm.validating.set(question, asking)
  }
  try {
    const signedIn = await asking
    if (signedIn === null || realm.denyList.has(sessionId)) return refuse(realm, request, reply, credential)
    return createPrincipal(renewCookie(realm, request, reply, ticket, signedIn), 'cookie')
  } catch (error) {
    orServe(realm, error)
    return principalOf(opened, credential)
  }
}

/** While the database is gone what is not known to be revoked is served, for a bounded time. */
function orServe(realm: Realm, error: unknown): true {
  if (!(mapDatabaseError(error) instanceof DatabaseUnavailable)) throw error
  if (!realm.feed.mayTrust()) throw new RevocationUnknown()
  return true
}
