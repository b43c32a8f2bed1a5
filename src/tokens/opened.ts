// Remembers tickets of tokens opened lately, since opening costs twenty times a look-up. Keyed by the whole token, so no two tokens can meet.
// Says nothing of expiry, revocation or a retired key: the caller asks `isTimely` and the deny list of every hit, and calls `clear` when keys change.
import type { Ticket, TicketPurpose } from './ticket.js'

export interface OpenedCache {
  /** The ticket that `set` was given for exactly this token and purpose. */
  readonly get: (purpose: TicketPurpose, token: string) => Ticket | undefined
  readonly set: (purpose: TicketPurpose, token: string, ticket: Ticket) => void
  readonly clear: () => void
  /** Entries now held. */
  readonly size: () => number
  /** Their memory, as estimated. */
  readonly bytes: () => number
}

interface Entry {
  readonly purpose: TicketPurpose
  readonly ticket: Ticket
}

interface Generation {
  readonly entries: Map<string, Entry>
  bytes: number
}

/**
 * Two generations: a full young one becomes the old one, whose entries are forgotten unless asked for meanwhile. As good as LRU here, without a list.
 * @param maxEntries of both together; below 2 nothing is kept
 * @param maxBytes of both together, by the estimate of `weightOf`
 */
export function createOpenedCache(maxEntries: number, maxBytes: number): OpenedCache {
  const half = { entries: Math.floor(maxEntries / 2), bytes: maxBytes / 2 }
  let young: Generation = { entries: new Map(), bytes: 0 }
  let old: Generation = { entries: new Map(), bytes: 0 }

  function keep(token: string, entry: Entry): void {
    const weight = weightOf(token)
    if (half.entries < 1 || weight > half.bytes) return
    const isKnown = young.entries.has(token)
    if (!isKnown && (young.entries.size >= half.entries || young.bytes + weight > half.bytes)) {
      old = young
      young = { entries: new Map(), bytes: 0 }
    }
    young.entries.set(token, entry)
    if (!isKnown) young.bytes += weight
  }

  return {
    get(purpose, token) {
      const inYoung = young.entries.get(token)
      const entry = inYoung ?? old.entries.get(token)
      // A cookie shown as a bearer token is as unknown here as it is to seal.ts.
      if (entry?.purpose !== purpose) return undefined
      if (!inYoung) keep(token, entry)
      return entry.ticket
    },
    set: (purpose, token, ticket) => keep(token, { purpose, ticket }),
    clear() {
      young = { entries: new Map(), bytes: 0 }
      old = { entries: new Map(), bytes: 0 }
    },
    size: () => young.entries.size + old.entries.size,
    bytes: () => young.bytes + old.bytes,
  }
}

// The token itself, its ticket's objects, and their texts, which grow with it.
function weightOf(token: string): number {
  return 800 + 4 * token.length
}
