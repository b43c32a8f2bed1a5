// Polls what other instances have noted (sessions that ended, claims that changed), twice a second. A poll by sequence number would
// miss late commits, so each poll overlaps the last ones by 15 s, or reaches back to the start of the oldest
// transaction that may still write notes. LISTEN would be faster, and fails silently behind a pooler.

export interface FeedOptions<Notes> {
  /**
   * Passes what was noted within the last so many seconds of the database's clock to `found`, in one call or several.
   */
  poll(seconds: number, found: (notes: Notes) => void): Promise<void>
  /** The age in seconds of the oldest transaction that may still write notes. */
  oldestWriterSeconds(): Promise<number>
  found(notes: Notes): void
  /** Whether a request could ask the database itself: rejects when the database does not answer. */
  ping(): Promise<unknown>
  /** How far back the first poll reaches: no ticket that needs no validation is older. */
  firstSeconds: number
  /** Monotonic milliseconds. This clock stops while the machine is suspended (CLOCK_MONOTONIC). */
  monotonic?: () => number
  /** Milliseconds of the machine's clock, which runs during a suspension and may be set back. */
  wall?: () => number
  intervalMilliseconds?: number
  /** How much longer than the usual 5 s a poll stays fresh, for an interval that is longer than usual. Default 0. */
  lagMilliseconds?: number
  /**
   * Timeout of one poll, restarted by each part of its answer. After it the feed counts as failing; a late answer
   * still counts.
   */
  pollTimeoutMilliseconds?: number
}

/**
 * `fresh`: every session that ended lately is known. `stale`: ask the database. `down`: it does not answer either;
 * `blind`: for too long.
 */
export type FeedState = 'fresh' | 'stale' | 'down' | 'blind'

export interface Feed {
  state(): FeedState
  /** Whether a request whose own query failed may be accepted: for a minute after the last successful poll. */
  mayTrust(): boolean
  /** Polls now, also after `stop`; rejects when the database does not answer. */
  refresh(): Promise<void>
  stop(): void
}

const overlapSeconds = 15
const staleMilliseconds = 5_000
const blindMilliseconds = 60_000

/** Starts polling. The timer keeps no process alive. */
export function startFeed<Notes>(options: FeedOptions<Notes>): Feed {
  // Two timeouts in a row end before the feed is stale, so that no request waits for a database that is gone.
  const {
    monotonic = () => performance.now(),
    wall = Date.now,
    intervalMilliseconds = 500,
    lagMilliseconds = 0,
    pollTimeoutMilliseconds = 2_000,
  } = options
  let lastGood = now()
  let answered = false
  let writerSeconds = 0
  let failing = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  function now() {
    return { monotonic: monotonic(), wall: wall() }
  }

  // The larger age of both clocks: neither a suspended machine nor a clock that is set back makes an old answer look
  // recent.
  function age(): number {
    return Math.max(monotonic() - lastGood.monotonic, wall() - lastGood.wall)
  }

  async function poll(progress: () => void): Promise<void> {
    const asked = now()
    const silentSeconds = age() / 1000
    // Read before the notes: a transaction whose commit they miss was running at this time, or began later.
    const nextWriterSeconds = await options.oldestWriterSeconds()
    const backSeconds = silentSeconds + Math.max(overlapSeconds, writerSeconds + 1)
    // An older note concerns no ticket that is accepted without a query.
    await options.poll(answered ? Math.min(backSeconds, options.firstSeconds) : options.firstSeconds, (notes) => {
      options.found(notes)
      progress()
    })
    answered = true
    failing = false
    // A later poll may have been answered earlier.
    if (asked.monotonic < lastGood.monotonic) return
    lastGood = asked
    writerSeconds = nextWriterSeconds
  }

  async function refresh(): Promise<void> {
    try {
      await inTime(poll)
    } catch (error) {
      // When only this query fails (a locked table, a slow statement), requests can still ask for themselves.
      failing = await inTime(() => options.ping()).then(
        () => false,
        () => true,
      )
      throw error
    }
  }

  function inTime<T>(ask: (progress: () => void) => Promise<T>): Promise<T> {
    let limit: NodeJS.Timeout | undefined
    let expire: () => void = () => undefined
    const late = new Promise<never>((_, reject) => {
      expire = () => reject(new Error('The database has not answered in time'))
    })
    const progress = () => {
      clearTimeout(limit)
      limit = setTimeout(expire, pollTimeoutMilliseconds).unref()
    }
    progress()
    return Promise.race([ask(progress), late]).finally(() => clearTimeout(limit))
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => {
      // A failed poll is no event: state() reports it, and the next poll follows.
      void refresh()
        .catch(() => undefined)
        .finally(schedule)
    }, intervalMilliseconds)
    timer.unref()
  }
  schedule()

  const mayTrust = () => age() <= lagMilliseconds + blindMilliseconds

  return {
    refresh,
    state() {
      if (age() <= lagMilliseconds + staleMilliseconds) return 'fresh'
      if (!failing) return 'stale'
      return mayTrust() ? 'down' : 'blind'
    },
    mayTrust,
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
