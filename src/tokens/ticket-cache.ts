// The ticket cache: opened tickets of recent tokens, since opening costs twenty times a look-up. The key is the end
// of a token, which is its authentication tag; then the whole token is compared, so that no token gets another one's
// ticket.
// Does not check expiry, revocation or retired keys: the caller checks `isTimely` and the deny list for every hit,
// and calls `clear` when keys change.
import type { Ticket, TicketPurpose } from './ticket.js'

export interface OpenedCache<Opened = Ticket> {
  /** The value that `set` got for exactly this token and purpose. */
  readonly get: (purpose: TicketPurpose, token: string) => Opened | undefined
  readonly set: (purpose: TicketPurpose, token: string, opened: Opened) => void
  readonly clear: () => void
  /** The number of entries. */
  readonly size: () => number
  /** Their memory, as estimated. */
  readonly bytes: () => number
}

/** The opened tickets of one key ring. */
export interface TicketCache<Opened = Ticket> {
  get(purpose: TicketPurpose, token: string): Opened | undefined
  /** Keeps a token from its second time on. */
  set(purpose: TicketPurpose, token: string, opened: Opened): void
}

/**
 * A cache of at most 10,000 tickets and 32 MB.
 *
 * @param onReplace calls its listener when the key ring is another one
 * @param onSet gets each ticket that was opened, kept or not
 */
export function createTicketCache<Opened>(
  onReplace: (listener: () => void) => void,
  onSet?: (opened: Opened) => void,
): TicketCache<Opened> {
  const cache = createOpenedCache<Opened>(10_000, 32 * 1024 * 1024)
  const isSeenAgain = createSightings()
  onReplace(cache.clear)
  return {
    get: cache.get,
    set(purpose, token, opened) {
      onSet?.(opened)
      if (isSeenAgain(token)) cache.set(purpose, token, opened)
    },
  }
}

interface Entry<Opened> {
  readonly purpose: TicketPurpose
  readonly token: string
  readonly opened: Opened
}

interface Generation<Opened> {
  readonly entries: Map<string, Entry<Opened>>
  bytes: number
}

/**
 * Two generations: a full young one becomes the old one, whose entries are dropped unless they are used meanwhile. As
 * good as LRU here, without a list.
 * @param maxEntries of both together; below 2 nothing is kept
 * @param maxBytes of both together, by the estimate of `weightOf`
 */
export function createOpenedCache<Opened = Ticket>(maxEntries: number, maxBytes: number): OpenedCache<Opened> {
  const half = { entries: Math.floor(maxEntries / 2), bytes: maxBytes / 2 }
  const none = (): Generation<Opened> => ({ entries: new Map(), bytes: 0 })
  let young = none()
  let old = none()

  function keep(entry: Entry<Opened>): void {
    const weight = weightOf(entry.token)
    if (half.entries < 1 || weight > half.bytes) return
    const end = endOf(entry.token)
    const replaced = young.entries.get(end)
    if (replaced !== undefined) {
      young.entries.delete(end)
      young.bytes -= weightOf(replaced.token)
    }
    if (young.entries.size >= half.entries || young.bytes + weight > half.bytes) {
      old = young
      young = none()
    }
    young.entries.set(end, entry)
    young.bytes += weight
  }

  return {
    get(purpose, token) {
      const end = endOf(token)
      const inYoung = young.entries.get(end)
      const entry = inYoung ?? old.entries.get(end)
      // A cookie presented as a bearer token is as unknown here as in seal.ts.
      if (entry?.purpose !== purpose || entry.token !== token) return undefined
      if (!inYoung) keep(entry)
      return entry.opened
    },
    set: (purpose, token, opened) => keep({ purpose, token: ownCopy(token), opened }),
    clear() {
      young = none()
      old = none()
    },
    size: () => young.entries.size + old.entries.size,
    bytes: () => young.bytes + old.bytes,
  }
}

/**
 * A few more characters than a tag has. A header's text is new with each request: hashing all of it would cost more
 * than everything else.
 */
function endOf(token: string): string {
  return token.slice(-24)
}

/** A copy, so that the header which contains the token is not kept with it. */
function ownCopy(token: string): string {
  return Buffer.from(token).toString()
}

// The token itself, its ticket's objects, and their texts, which grow with it.
function weightOf(token: string): number {
  return 800 + 4 * token.length
}

/**
 * Whether a token was seen lately: called once for each opened token. Most tokens that come once never come again,
 * and keeping each would cost as much as opening it. May be wrong within its 64 KiB, which costs time and nothing
 * else.
 */
export function createSightings(slots = 16_384): (token: string) => boolean {
  const seen = new Uint32Array(slots)
  return (token) => {
    // FNV-1a over the end, which is random.
    let hash = 0x811c9dc5
    for (let at = Math.max(0, token.length - 12); at < token.length; at++)
      hash = Math.imul(hash ^ token.charCodeAt(at), 0x01000193)
    hash >>>= 0
    const slot = hash % slots
    if (seen[slot] === hash) return true
    seen[slot] = hash
    return false
  }
}
