// Brings the sessions that other instances ended into the deny list, by asking twice a second. A sequence-ordered poll would miss
// commits that come late, so each question overlaps the last ones by 15 s, or reaches back to the begin of the oldest transaction that
// may still write notes; LISTEN would be faster and dies silently behind a pooler.

export interface FeedOptions {
  /** Brings the ids revoked within the last so many seconds of the database's clock, in one call of `found` or several. */
  poll(seconds: number, found: (sessionIds: readonly string[]) => void): Promise<void>
  /** How many seconds ago the oldest transaction began that may still write notes. */
  oldestWriterSeconds(): Promise<number>
  found(sessionIds: readonly string[]): void
  /** Whether a request could ask the database for itself: rejects when it does not answer. */
  ping(): Promise<unknown>
  /** How far back the first question goes: no ticket that needs no validation is older. */
  firstSeconds: number
  /** Monotonic milliseconds. They stand still while a machine is suspended (CLOCK_MONOTONIC). */
  monotonic?: () => number
  /** Milliseconds of the machine's clock, which goes on meanwhile, and may be set back. */
  wall?: () => number
  intervalMilliseconds?: number
  /** How long an answer, or a further part of one, is waited for before the feed counts as failing; a later one still counts. */
  patienceMilliseconds?: number
}

/** `fresh`: nothing that ended lately is unknown. `stale`: ask the database. `down`: it does not answer either; `blind`: for too long. */
export type FeedState = 'fresh' | 'stale' | 'down' | 'blind'

export interface Feed {
  state(): FeedState
  /** Whether a request whose own question failed may be served on trust: for a minute after the last good question. */
  mayTrust(): boolean
  /** Asks now, also after the feed was stopped; rejects when the database does not answer. */
  refresh(): Promise<void>
  stop(): void
}

const overlapSeconds = 15
const staleMilliseconds = 5_000
const blindMilliseconds = 60_000

/** Starts asking at once. Its timer keeps no process alive. */
export function startFeed(options: FeedOptions): Feed {
  // Two waits in a row end before the feed is stale, so that no request waits for a database that is gone.
  const {
    monotonic = () => performance.now(),
    wall = Date.now,
    intervalMilliseconds = 500,
    patienceMilliseconds = 2_000,
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

  // Of both clocks the one that says more: neither a suspended machine nor a clock that is set back makes an old answer young.
  function age(): number {
    return Math.max(monotonic() - lastGood.monotonic, wall() - lastGood.wall)
  }

  async function poll(progress: () => void): Promise<void> {
    const asked = now()
    const silentSeconds = age() / 1000
    // Before the notes: whoever commits unseen by them was running here, or began later.
    const nextWriterSeconds = await options.oldestWriterSeconds()
    const backSeconds = silentSeconds + Math.max(overlapSeconds, writerSeconds + 1)
    // An older note concerns no ticket that is believed without asking.
    await options.poll(answered ? Math.min(backSeconds, options.firstSeconds) : options.firstSeconds, (sessionIds) => {
      options.found(sessionIds)
      progress()
    })
    answered = true
    failing = false
    // A later question may have been answered sooner.
    if (asked.monotonic < lastGood.monotonic) return
    lastGood = asked
    writerSeconds = nextWriterSeconds
  }

  async function refresh(): Promise<void> {
    try {
      await inTime(poll)
    } catch (error) {
      // A question that fails alone (a locked table, a statement that is too slow) leaves requests theirs.
      failing = await inTime(() => options.ping()).then(
        () => false,
        () => true,
      )
      throw error
    }
  }

  function inTime<T>(ask: (progress: () => void) => Promise<T>): Promise<T> {
    let limit: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      limit = setTimeout(() => reject(new Error('The database has not answered in time')), patienceMilliseconds).unref()
    })
    return Promise.race([ask(() => limit?.refresh()), late]).finally(() => clearTimeout(limit))
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => {
      // A failed question is not an event: state() tells, and the next one follows.
      void refresh()
        .catch(() => undefined)
        .finally(schedule)
    }, intervalMilliseconds)
    timer.unref()
  }
  schedule()

  const mayTrust = () => age() <= blindMilliseconds

  return {
    refresh,
    state() {
      if (age() <= staleMilliseconds) return 'fresh'
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
