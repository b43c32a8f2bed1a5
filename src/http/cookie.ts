// The cookie of a sign-in: writes, reads, renews and clears it.
import { fastifyCookie, type SerializeOptions } from '@fastify/cookie'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { SignedIn } from '../accounts/sign-in/sign-in-manager.js'
import { secondsOf, sealTicket, type Ticket } from '../tokens/ticket.js'
import { ticketFor, type TicketContext } from './tickets.js'

/** The dependencies of cookies. */
export interface CookieContext extends TicketContext {
  readonly options: TicketContext['options'] & {
    readonly cookies: boolean
    readonly cookie: CookieSettings
    readonly publicUrl: URL | null
    readonly decorator: string
  }
  /** The serializer of @fastify/cookie. */
  serializeCookie(name: string, value: string, options: SerializeOptions): string
}

interface CookieSettings {
  readonly name: string | null
  readonly lifetimeSeconds: number
  readonly slidingExpiration: boolean
  readonly sameSite: 'lax' | 'strict' | 'none'
  readonly secure: boolean | 'auto'
  readonly domain: string | null
  readonly path: string
}

/**
 * The serializer of @fastify/cookie. When the host has not registered it, it stays in a scope of its own, so that the
 * host still can.
 */
export async function cookieSerializer(app: FastifyInstance): Promise<CookieContext['serializeCookie']> {
  let serialize: CookieContext['serializeCookie'] = () => {
    throw new Error('@fastify/cookie was not registered')
  }
  await app.register(async (scope) => {
    if (!scope.hasDecorator('serializeCookie')) await scope.register(fastifyCookie, { hook: false })
    serialize = (name, value, options) => scope.serializeCookie(name, value, options)
  })
  return serialize
}

/** The name of a cookie depends on it. */
type Protocol = Pick<FastifyRequest, 'protocol'>

/** Signs a browser in: a cookie until the browser closes, or for `cookie.lifetimeSeconds`. */
export function setCookie(
  context: CookieContext,
  request: FastifyRequest,
  reply: FastifyReply,
  signedIn: SignedIn,
  persistent: boolean,
): void {
  writeCookie(context, request, reply, cookieTicket(context, signedIn, persistent))
}

/** The name and value that `setCookie` would set, for a client that keeps no cookies. */
export function cookiePair(
  context: CookieContext,
  request: Protocol,
  signedIn: SignedIn,
): [name: string, value: string] {
  return sealCookie(context, request, cookieTicket(context, signedIn, true))
}

function cookieTicket(context: CookieContext, signedIn: SignedIn, persistent: boolean): Ticket {
  return ticketFor(context, signedIn, { lifetimeSeconds: context.options.cookie.lifetimeSeconds, persistent })
}

/**
 * Renews a cookie past half its lifetime with the same claims, up to the session's end (the reference's sliding
 * expiration).
 */
export function slideCookie(
  context: CookieContext,
  request: FastifyRequest,
  reply: FastifyReply,
  ticket: Ticket,
): void {
  const now = secondsOf(context.clock())
  if (!context.options.cookie.slidingExpiration || now - ticket.issuedAt <= ticket.expiresAt - now) return
  const expiresAt = Math.min(now + context.options.cookie.lifetimeSeconds, ticket.sessionExpiresAt)
  if (expiresAt > ticket.expiresAt) writeCookie(context, request, reply, { ...ticket, issuedAt: now, expiresAt })
}

/**
 * A new cookie with claims that were just read from the database. Without sliding expiration its end stays the same.
 */
export function renewCookie(
  context: CookieContext,
  request: FastifyRequest,
  reply: FastifyReply,
  ticket: Ticket,
  signedIn: SignedIn,
): Ticket {
  const { lifetimeSeconds, slidingExpiration } = context.options.cookie
  const fresh = ticketFor(context, signedIn, { lifetimeSeconds, persistent: ticket.persistent })
  const renewed = slidingExpiration ? fresh : { ...fresh, expiresAt: ticket.expiresAt }
  writeCookie(context, request, reply, renewed)
  return renewed
}

export function clearCookie(context: CookieContext, request: FastifyRequest, reply: FastifyReply): void {
  expireCookie(context, request, reply, cookieName(context, request))
}

/** Removes a cookie of ours from the browser, with the attributes it was set with. */
export function expireCookie(context: CookieContext, request: FastifyRequest, reply: FastifyReply, name: string): void {
  putCookie(context, reply, name, '', { ...cookieAttributes(context, request), expires: new Date(0), maxAge: 0 })
}

/** The values of all cookies of our name: several after `cookie.domain` or `cookie.path` was changed. */
export function readCookies(context: CookieContext, request: FastifyRequest): readonly string[] {
  return context.options.cookies ? findCookies(request.headers.cookie, cookieName(context, request)) : []
}

/**
 * Of several cookies of our name leaves one: the given ticket, with the attributes of now. A request does not say how the others were set, so
 * that those of the host itself and of each domain above it are expired.
 */
export function keepOneCookie(
  context: CookieContext,
  request: FastifyRequest,
  reply: FastifyReply,
  ticket: Ticket | null,
): void {
  const name = cookieName(context, request)
  const own = cookieAttributes(context, request)
  const labels = request.hostname.split('.')
  // A browser refuses the prefix with a domain, and such a cookie is the only one of its name.
  const isName = /[a-z]/i.test(labels.at(-1) ?? '') && !request.hostname.includes(':') && !name.startsWith('__Host-')
  const domains = isName ? labels.slice(0, -1).map((_, index) => labels.slice(index).join('.')) : []
  for (const path of new Set([own.path, '/'])) {
    for (const domain of [undefined, ...domains.slice(0, 4)]) {
      const given = {
        path,
        httpOnly: own.httpOnly,
        sameSite: own.sameSite,
        secure: own.secure,
        expires: new Date(0),
        maxAge: 0,
        ...(domain === undefined ? {} : { domain }),
      }
      putCookie(context, reply, name, '', given)
    }
  }
  if (ticket === null) clearCookie(context, request, reply)
  else writeCookie(context, request, reply, ticket)
}

// Nobody sends more on purpose, and each is opened.
const maxCookies = 4

/** The values of the cookies of exactly this name; names are not decoded (CVE-2020-1045). */
export function findCookies(header: string | undefined, name: string): readonly string[] {
  if (header === undefined) return []
  const found: string[] = []
  for (let start = 0, end = 0; start < header.length; start = end + 1) {
    end = header.indexOf(';', start)
    if (end === -1) end = header.length
    while (header.charCodeAt(start) === 0x20 || header.charCodeAt(start) === 0x09) start++
    const equals = start + name.length
    if (header.charCodeAt(equals) !== 0x3d || !header.startsWith(name, start)) continue
    if (found.length === maxCookies) return []
    found.push(header.slice(equals + 1, end).trimEnd())
  }
  return found
}

function writeCookie(context: CookieContext, request: FastifyRequest, reply: FastifyReply, ticket: Ticket): void {
  const [name, value] = sealCookie(context, request, ticket)
  sendCookie(context, request, reply, name, value, ticket.persistent ? ticket.expiresAt : null)
}

function sealCookie(context: CookieContext, request: Protocol, ticket: Ticket): [name: string, value: string] {
  return [cookieName(context, request), sealTicket(context.keys.sealing(), 'cookie', ticket)]
}

/** Sets a cookie of ours: until the browser closes, or until a time in whole seconds. */
export function sendCookie(
  context: CookieContext,
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  value: string,
  expiresAt: number | null,
): void {
  const expires =
    expiresAt === null
      ? {}
      : { expires: new Date(expiresAt * 1000), maxAge: Math.max(0, expiresAt - secondsOf(context.clock())) }
  putCookie(context, reply, name, value, { ...cookieAttributes(context, request), ...expires })
}

// An answer carries one cookie of a name, domain and path (RFC 6265 §4.1.1): the guard may have renewed the one that its handler now clears.
function putCookie(
  context: CookieContext,
  reply: FastifyReply,
  name: string,
  value: string,
  options: SerializeOptions,
): void {
  const ours = context.serializeCookie(name, value, options)
  const others = [reply.getHeader('set-cookie') ?? []]
    .flat()
    .map(String)
    .filter((line) => placeOf(line) !== placeOf(ours))
  void reply.removeHeader('set-cookie').header('set-cookie', others.length === 0 ? ours : [...others, ours])
  neverStore(reply)
}

/** What a browser tells cookies apart by. */
function placeOf(line: string): string {
  const attribute = (name: string) => new RegExp(`; ${name}=([^;]*)`, 'i').exec(line)?.[1]?.toLowerCase() ?? ''
  return `${line.slice(0, line.indexOf('='))};${attribute('domain')};${attribute('path')}`
}

// As the reference does on every answer that touches a cookie.
const uncached = {
  'cache-control': 'no-cache,no-store',
  pragma: 'no-cache',
  expires: 'Thu, 01 Jan 1970 00:00:00 GMT',
}

const neverStored = new WeakSet<FastifyReply>()

// A handler or a later hook may allow caches to keep its answer, not knowing of the cookie in it: the last word is said as the head is written.
function neverStore(reply: FastifyReply): void {
  void reply.headers(uncached)
  if (neverStored.has(reply)) return
  neverStored.add(reply)
  const { raw } = reply
  const writeHead = raw.writeHead.bind(raw) as (...given: unknown[]) => typeof raw // its overloads as one
  raw.writeHead = (...given: unknown[]) => {
    const last = given.at(-1)
    if (typeof last !== 'object' || last === null || Array.isArray(last)) return writeHead(...given, uncached)
    return writeHead(...given.slice(0, -1), { ...last, ...uncached })
  }
}

function cookieAttributes(context: CookieContext, request: FastifyRequest) {
  const { domain, path, sameSite } = context.options.cookie
  return { path, httpOnly: true, sameSite, secure: isSecure(context, request), ...(domain === null ? {} : { domain }) }
}

/** `auto`: when users reach us by https, according to `publicUrl` or, without it, this request. SameSite=None needs it always. */
function isSecure({ options }: CookieContext, request: Protocol): boolean {
  if (options.cookie.secure !== 'auto') return options.cookie.secure
  if (options.cookie.sameSite === 'none') return true
  return options.publicUrl === null ? request.protocol === 'https' : options.publicUrl.protocol === 'https:'
}

// The prefix makes browsers refuse a cookie of that name from a sibling subdomain or over http (RFC 6265bis §4.1.3.2).
export function cookieName(context: CookieContext, request: Protocol): string {
  const { name, domain, path } = context.options.cookie
  if (name !== null) return name
  return isSecure(context, request) && domain === null && path === '/'
    ? `__Host-${context.options.decorator}`
    : context.options.decorator
}
