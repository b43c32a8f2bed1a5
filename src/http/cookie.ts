// Hands out a signed-in person: a token pair in the body, or a cookie. Also reads, renews and clears the cookie.
import type { SerializeOptions } from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CookieTooLarge } from '../errors.js'
import { ticketOf } from '../accounts/sign-in/ticket-claims.js'
import type { SignedIn } from '../accounts/sign-in/sign-in-manager.js'
import { sealTicket, type Ticket } from '../tokens/ticket.js'
import type { Realm } from './context.js'
import { withClaims } from './host-claims.js'

/** What a cookie's name hangs on. */
type Protocol = Pick<FastifyRequest, 'protocol'>

/** Signs a browser in: a cookie until it closes, or for `cookie.lifetimeSeconds`. */
export function setCookie(
  realm: Realm,
  request: FastifyRequest,
  reply: FastifyReply,
  signedIn: SignedIn,
  persistent: boolean,
): void {
  writeCookie(realm, request, reply, cookieTicket(realm, signedIn, persistent))
}

/** The name and value that `setCookie` would set, for a client that keeps no cookies. */
export function cookiePair(realm: Realm, request: Protocol, signedIn: SignedIn): [name: string, value: string] {
  return sealCookie(realm, request, cookieTicket(realm, signedIn, true))
}

function cookieTicket(realm: Realm, signedIn: SignedIn, persistent: boolean): Ticket {
  return ticketOf(withClaims(realm, signedIn), realm.clock(), {
    lifetimeSeconds: realm.options.cookie.lifetimeSeconds,
    persistent,
  })
}

/** A cookie past half its life gets a new one of the same claims, up to the session's end (the reference's sliding expiration). */
export function slideCookie(realm: Realm, request: FastifyRequest, reply: FastifyReply, ticket: Ticket): void {
  const now = Math.floor(realm.clock() / 1000)
  if (!realm.options.cookie.slidingExpiration || now - ticket.issuedAt <= ticket.expiresAt - now) return
  const expiresAt = Math.min(now + realm.options.cookie.lifetimeSeconds, ticket.sessionExpiresAt)
  if (expiresAt > ticket.expiresAt) writeCookie(realm, request, reply, { ...ticket, issuedAt: now, expiresAt })
}

/** Claims that were just read from the database, in a new cookie. Without sliding expiration the old end stays. */
export function renewCookie(
  realm: Realm,
  request: FastifyRequest,
  reply: FastifyReply,
  ticket: Ticket,
  signedIn: SignedIn,
): Ticket {
  const { lifetimeSeconds, slidingExpiration } = realm.options.cookie
  const fresh = ticketOf(withClaims(realm, signedIn), realm.clock(), { lifetimeSeconds, persistent: ticket.persistent })
  const renewed = slidingExpiration ? fresh : { ...fresh, expiresAt: ticket.expiresAt }
  writeCookie(realm, request, reply, renewed)
  return renewed
}

export function clearCookie(realm: Realm, request: FastifyRequest, reply: FastifyReply): void {
  expireCookie(realm, request, reply, cookieName(realm, request))
}

/** Tells the browser to forget a cookie of ours, with the attributes it was set with. */
export function expireCookie(realm: Realm, request: FastifyRequest, reply: FastifyReply, name: string): void {
  putCookie(realm, reply, name, '', { ...cookieAttributes(realm, request), expires: new Date(0), maxAge: 0 })
}

/** The cookie's value; null when there is none, or when there are several and nobody can tell which is ours. */
export function readCookie(realm: Realm, request: FastifyRequest): string | null {
  return realm.options.cookies ? findCookie(request.headers.cookie, cookieName(realm, request)) : null
}

/** The value of the one cookie of exactly this name; names are not decoded (CVE-2020-1045). */
export function findCookie(header: string | undefined, name: string): string | null {
  if (header === undefined) return null
  let found: string | null = null
  for (let start = 0, end = 0; start < header.length; start = end + 1) {
    end = header.indexOf(';', start)
    if (end === -1) end = header.length
    while (header.charCodeAt(start) === 0x20 || header.charCodeAt(start) === 0x09) start++
    const equals = start + name.length
    if (header.charCodeAt(equals) !== 0x3d || !header.startsWith(name, start)) continue
    if (found !== null) return null
    found = header.slice(equals + 1, end).trimEnd()
  }
  return found
}

// A browser keeps name and value up to 4,096 bytes and drops what is longer without a word (RFC 6265bis §5.6).
const maxCookieBytes = 4096

function writeCookie(realm: Realm, request: FastifyRequest, reply: FastifyReply, ticket: Ticket): void {
  const [name, value] = sealCookie(realm, request, ticket)
  sendCookie(realm, request, reply, name, value, ticket.persistent ? ticket.expiresAt : null)
}

function sealCookie(realm: Realm, request: Protocol, ticket: Ticket): [name: string, value: string] {
  const name = cookieName(realm, request)
  const value = sealTicket(realm.keys.sealing(), 'cookie', ticket)
  if (name.length + value.length > maxCookieBytes) throw new CookieTooLarge()
  return [name, value]
}

/** Sets a cookie of ours: until the browser closes, or until a time in whole seconds. */
export function sendCookie(
  realm: Realm,
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  value: string,
  expiresAt: number | null,
): void {
  const expires =
    expiresAt === null
      ? {}
      : { expires: new Date(expiresAt * 1000), maxAge: Math.max(0, expiresAt - Math.floor(realm.clock() / 1000)) }
  putCookie(realm, reply, name, value, { ...cookieAttributes(realm, request), ...expires })
}

// An answer carries one cookie of a name (RFC 6265 §4.1.1): the guard may have renewed the one that its handler now clears.
function putCookie(realm: Realm, reply: FastifyReply, name: string, value: string, options: SerializeOptions): void {
  const others = [reply.getHeader('set-cookie') ?? []]
    .flat()
    .map(String)
    .filter((line) => !line.startsWith(`${name}=`))
  const ours = realm.serializeCookie(name, value, options)
  uncached(reply.removeHeader('set-cookie').header('set-cookie', others.length === 0 ? ours : [...others, ours]))
}

// As the reference does on every answer that touches a cookie.
function uncached(reply: FastifyReply): void {
  void reply.headers({
    'cache-control': 'no-cache,no-store',
    pragma: 'no-cache',
    expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
  })
}

function cookieAttributes(realm: Realm, request: FastifyRequest) {
  const { domain, path, sameSite } = realm.options.cookie
  return { path, httpOnly: true, sameSite, secure: isSecure(realm, request), ...(domain === null ? {} : { domain }) }
}

/** `auto`: where people reach us by https, as `publicUrl` says or, without one, this very request. */
function isSecure({ options }: Realm, request: Protocol): boolean {
  if (options.cookie.secure !== 'auto') return options.cookie.secure
  return options.publicUrl === null ? request.protocol === 'https' : options.publicUrl.protocol === 'https:'
}

// The prefix makes browsers refuse a cookie of that name from a sibling subdomain or over http (RFC 6265bis §4.1.3.2).
export function cookieName(realm: Realm, request: Protocol): string {
  const { name, domain, path } = realm.options.cookie
  if (name !== null) return name
  return isSecure(realm, request) && domain === null && path === '/'
    ? `__Host-${realm.options.decorator}`
    : realm.options.decorator
}
