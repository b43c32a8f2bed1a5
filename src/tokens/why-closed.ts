// Why a token does not open, for the log of the server. Opening itself gives no reason: this is asked afterwards, about a token that was
// refused, and no response carries the reason.
import { type Purpose, purposes } from './purpose.js'
import { type FindKey, keyIdOf } from './seal.js'
import { openAtAnyTime, type TicketPurpose } from './ticket.js'

export type Closed =
  'tokenMalformed' | 'tokenPurpose' | 'tokenKeyUnknown' | 'tokenAltered' | 'tokenExpired' | 'tokenEarly'

/** Why `openTicket` returns null at this time. */
export function whyClosed(find: FindKey, purpose: TicketPurpose, token: string, nowSeconds: number): Closed {
  const id = keyIdOf(token, purpose)
  if (id === null) return isOfAnyPurpose(token) ? 'tokenPurpose' : 'tokenMalformed'
  if (!find(id)) return 'tokenKeyUnknown'
  const ticket = openAtAnyTime(find, purpose, token)
  if (ticket === null) return 'tokenAltered'
  return nowSeconds < Math.min(ticket.expiresAt, ticket.sessionExpiresAt) ? 'tokenEarly' : 'tokenExpired'
}

function isOfAnyPurpose(token: string): boolean {
  return (Object.keys(purposes) as Purpose[]).some((purpose) => keyIdOf(token, purpose) !== null) // Object.keys loses the names
}
