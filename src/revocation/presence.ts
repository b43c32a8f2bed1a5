// Notices sessions whose row is gone without a revocation: a user or session that an administrator deleted by SQL. Asks twice a minute for
// all sessions whose tickets were opened here lately, in one statement for thousands of them; a request costs no query.

export interface PresenceOptions {
  /** The ids among these that have no row. */
  readonly findMissing: (sessionIds: readonly string[]) => Promise<readonly string[]>
  /** Gets what a check found, in place of what the one before found. */
  readonly onChecked?: (missing: ReadonlySet<string>) => void
  /** How long a ticket is accepted without a query after it was opened. */
  rememberSeconds: number
  /** Default 30 seconds. */
  intervalMilliseconds?: number
  /** Default 50,000. Beyond it the sessions that were seen first are no longer asked for. */
  maxSessions?: number
}

export interface Presence {
  /** A ticket of this session was opened. */
  seen(sessionId: string): void
  /** Whether the last check found no row. A row that comes back, as when a backup is restored, is found by the next. */
  isMissing(sessionId: string): boolean
  /** Asks now; rejects when the database does not answer. */
  check(): Promise<void>
  stop(): void
}

const pageSize = 5_000

/** Starts checking. The timer keeps no process alive. */
export function startPresence(options: PresenceOptions): Presence {
  const { findMissing, rememberSeconds, intervalMilliseconds = 30_000, maxSessions = 50_000 } = options
  // Two generations, as in the ticket cache: each lives at least as long as a ticket.
  let young = new Set<string>()
  let old = new Set<string>()
  let bornAt = performance.now()
  let missing: ReadonlySet<string> = new Set()

  function age(): void {
    if (young.size < maxSessions / 2 && performance.now() - bornAt < rememberSeconds * 1000) return
    old = young
    young = new Set()
    bornAt = performance.now()
  }

  async function check(): Promise<void> {
    age()
    const ids = [...new Set([...young, ...old])]
    const found = new Set<string>()
    for (let from = 0; from < ids.length; from += pageSize)
      for (const id of await findMissing(ids.slice(from, from + pageSize))) found.add(id)
    missing = found
    options.onChecked?.(found)
  }

  const timer = setInterval(() => {
    // A failed check changes nothing; the feed reports a database that is away.
    void check().catch(() => undefined)
  }, intervalMilliseconds)
  timer.unref()

  return {
    seen(sessionId) {
      age()
      young.add(sessionId)
    },
    isMissing: (sessionId) => missing.has(sessionId),
    check,
    stop: () => clearInterval(timer),
  }
}
