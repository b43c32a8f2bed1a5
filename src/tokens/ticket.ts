// Tickets: the user of a sign-in, its methods and its end, in one payload under three purposes (access, refresh,
// cookie). Sealed by seal.ts.
// Does not know whether a session was ended or a stamp changed; the ticket carries what is needed to check that.
import {
  clockSkewSeconds,
  markLength,
  markText,
  readSeconds,
  secondsLength,
  uuidLength,
  uuidText,
  writeMark,
  writeSeconds,
  writeUuid,
} from './fields.js'
import { open, seal, type FindKey, type SealingKey } from './seal.js'

export type TicketPurpose = 'access' | 'refresh' | 'cookie'

/** Times are whole seconds since the Unix epoch. */
export interface Ticket {
  /** UUIDs, in lower case once opened. */
  readonly userId: string
  readonly sessionId: string
  readonly userName: string
  readonly email: string | null
  /** `stampMark` of the user's security stamp. */
  readonly stamp: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** When credentials were last proved. */
  readonly authenticatedAt: number
  /** Absolute end of the session, whatever is refreshed or renewed until then. */
  readonly sessionExpiresAt: number
  /** When the claims were last read from the database. */
  readonly validatedAt: number
  readonly amr: readonly string[]
  readonly roles: readonly string[]
  readonly claims: readonly TicketClaim[]
  /** Place in the session's chain of refresh tokens, uint32; 0 in other tickets. */
  readonly counter: number
  /** Cookies only: the cookie outlives the browser. */
  readonly persistent: boolean
  /** Claims of this session alone; left out where there are none. */
  readonly sessionClaims?: readonly TicketClaim[]
  /** Sealed without names, roles and claims of the user, which have no room: opened, `userName` is empty, `email` null, and the rest empty. */
  readonly isPartial?: boolean
}

export interface TicketClaim {
  readonly type: string
  readonly value: string
}

// The payload: fixed fields, then a JSON array by position, `[userName, email | 0, amr, roles, [type, value, type, value, …]]`, where 0 says
// that the e-mail address is the user name. A sixth member are the claims of the session, in the same form. `[amr]`, or `[amr, claims of the
// session]`, is a partial ticket.
const at = (() => {
  const sessionId = uuidLength
  const stamp = sessionId + uuidLength
  const issuedAt = stamp + markLength
  const expiresAt = issuedAt + secondsLength
  const authenticatedAt = expiresAt + secondsLength
  const sessionExpiresAt = authenticatedAt + secondsLength
  const validatedAt = sessionExpiresAt + secondsLength
  const counter = validatedAt + secondsLength
  const persistent = counter + 4
  const names = persistent + 1
  return {
    userId: 0,
    sessionId,
    stamp,
    issuedAt,
    expiresAt,
    authenticatedAt,
    sessionExpiresAt,
    validatedAt,
    counter,
    persistent,
    names,
  }
})()

/**
 * @throws TypeError when a member does not fit (an id that is no UUID, a claim that is no text)
 * @throws TokenTooLarge when roles and claims do not fit into 4,096 characters
 */
export function sealTicket(key: SealingKey, purpose: TicketPurpose, ticket: Ticket): string {
  const names = namesOf(ticket)
  if (!areNames(names) && !arePartial(names))
    throw new TypeError('A ticket takes text only: userName, email, amr, roles, and types and values of claims')
  if (!isUint32(ticket.counter)) throw new TypeError('counter is not an unsigned 32-bit integer')
  const json = JSON.stringify(names)
  const bytes = Buffer.alloc(at.names + Buffer.byteLength(json))
  writeUuid(bytes, at.userId, ticket.userId, 'userId')
  writeUuid(bytes, at.sessionId, ticket.sessionId, 'sessionId')
  writeMark(bytes, at.stamp, ticket.stamp, 'stamp')
  writeSeconds(bytes, at.issuedAt, ticket.issuedAt, 'issuedAt')
  writeSeconds(bytes, at.expiresAt, ticket.expiresAt, 'expiresAt')
  writeSeconds(bytes, at.authenticatedAt, ticket.authenticatedAt, 'authenticatedAt')
  writeSeconds(bytes, at.sessionExpiresAt, ticket.sessionExpiresAt, 'sessionExpiresAt')
  writeSeconds(bytes, at.validatedAt, ticket.validatedAt, 'validatedAt')
  bytes.writeUInt32BE(ticket.counter, at.counter)
  bytes.writeUInt8(ticket.persistent ? 1 : 0, at.persistent)
  bytes.write(json, at.names)
  return seal(key, purpose, bytes)
}

/** The ticket; null without a reason unless it opens, has the right form and `isTimely`. */
export function openTicket(find: FindKey, purpose: TicketPurpose, token: unknown, nowSeconds: number): Ticket | null {
  const ticket = openAtAnyTime(find, purpose, token)
  return ticket && isTimely(ticket, nowSeconds) ? ticket : null
}

/** The same for an expired ticket: what it says is no longer, or not yet, true. */
export function openAtAnyTime(find: FindKey, purpose: TicketPurpose, token: unknown): Ticket | null {
  const bytes = open(find, purpose, token)
  return bytes && readTicket(bytes)
}

/**
 * True before the ticket's expiry and its session's end, and at most 60 seconds before it was issued.
 * Checked again for every ticket kept in memory.
 */
export function isTimely(ticket: Ticket, nowSeconds: number): boolean {
  return (
    nowSeconds < ticket.expiresAt &&
    nowSeconds < ticket.sessionExpiresAt &&
    ticket.issuedAt <= nowSeconds + clockSkewSeconds
  )
}

// Checked to the last member although authenticated: a ticket of a later version, or of a faulty one, must not be
// read in part.
function readTicket(bytes: Buffer): Ticket | null {
  if (bytes.length < at.names) return null
  const persistent = bytes.readUInt8(at.persistent)
  const names = readNames(bytes.toString('utf8', at.names))
  if (names === null || persistent > 1) return null
  const isPartial = arePartial(names)
  const [userName, email, amr, roles, claims, own = []]: Names = isPartial
    ? ['', null, names[0], [], [], names[1]]
    : names
  return {
    userId: uuidText(bytes, at.userId),
    sessionId: uuidText(bytes, at.sessionId),
    userName,
    email: email === 0 ? userName : email,
    stamp: markText(bytes, at.stamp),
    issuedAt: readSeconds(bytes, at.issuedAt),
    expiresAt: readSeconds(bytes, at.expiresAt),
    authenticatedAt: readSeconds(bytes, at.authenticatedAt),
    sessionExpiresAt: readSeconds(bytes, at.sessionExpiresAt),
    validatedAt: readSeconds(bytes, at.validatedAt),
    amr,
    roles,
    claims: inPairs(claims),
    counter: bytes.readUInt32BE(at.counter),
    persistent: persistent === 1,
    ...(own.length === 0 ? {} : { sessionClaims: inPairs(own) }),
    ...(isPartial ? { isPartial } : {}),
  }
}

type Names = [
  userName: string,
  email: string | 0 | null,
  amr: string[],
  roles: string[],
  claims: string[],
  sessionClaims?: string[] | undefined,
]
type PartialNames = [amr: string[], sessionClaims?: string[]]

function namesOf({ userName, email, amr, roles, claims, sessionClaims = [], isPartial = false }: Ticket): unknown[] {
  const own = sessionClaims.length === 0 ? [] : [flat(sessionClaims)]
  return isPartial ? [amr, ...own] : [userName, email === userName ? 0 : email, amr, roles, flat(claims), ...own]
}

function flat(claims: readonly TicketClaim[]): string[] {
  return claims.flatMap(({ type, value }) => [type, value])
}

function readNames(json: string): Names | PartialNames | null {
  try {
    const names: unknown = JSON.parse(json)
    return areNames(names) || arePartial(names) ? names : null
  } catch {
    return null
  }
}

function areNames(names: unknown): names is Names {
  if (!Array.isArray(names) || (names.length !== 5 && names.length !== 6)) return false
  const [userName, email, amr, roles, claims, own = []] = names as unknown[] // Array.isArray says any[]
  return (
    typeof userName === 'string' &&
    (typeof email === 'string' || email === null || email === 0) &&
    areTexts(amr) &&
    areTexts(roles) &&
    arePairs(claims) &&
    arePairs(own)
  )
}

function arePartial(names: unknown): names is PartialNames {
  if (!Array.isArray(names) || names.length < 1 || names.length > 2) return false
  const [amr, own = []] = names as unknown[] // Array.isArray says any[]
  return areTexts(amr) && arePairs(own)
}

function arePairs(value: unknown): value is string[] {
  return areTexts(value) && value.length % 2 === 0
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function isUint32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffffffff
}

function inPairs(flat: string[]): TicketClaim[] {
  const claims: TicketClaim[] = []
  for (let i = 0; i + 1 < flat.length; i += 2) claims.push({ type: flat[i] ?? '', value: flat[i + 1] ?? '' })
  return claims
}

/** A time in whole seconds, as tickets and codes carry it. */
export function secondsOf(milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}
