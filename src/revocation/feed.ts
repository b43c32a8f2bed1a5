// Brings the sessions that other instances ended into the deny list, by asking twice a second. A sequence-ordered poll would miss
// commits that come late, so each question overlaps the last ones by 15 s; LISTEN would be faster and dies silently behind a pooler.

export interface FeedOptions {
  /** The ids revoked within the last so many seconds of the database's clock. */
  poll(seconds: number): Promise<readonly string[]>
  found(sessionIds: readonly string[]): void
  /** How far back the first question goes: no ticket that needs no validation is older. */
  firstSeconds: number
  /** Monotonic milliseconds. */
  monotonic?: () => number
  intervalMilliseconds?: number
}

/** `fresh`: nothing that ended a second ago is unknown. `stale`: ask the database. `down`: it does not answer; `blind`: for too long. */
export type FeedState = 'fresh' | 'stale' | 'down' | 'blind'

export interface Feed {
  state(): FeedState
  /** Asks now, also after the feed was stopped; rejects when the database does not answer. */
  refresh(): Promise<void>
  stop(): void
}

const overlapSeconds = 15
const staleMilliseconds = 5_000
const blindMilliseconds = 60_000

/** Starts asking at once. Its timer keeps no process alive. */
export function startFeed(options: FeedOptions): Feed {
  const { monotonic = () => performance.now(), intervalMilliseconds = 500 } = options
  let lastGood = monotonic()
  let answered = false
  let failing = false
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  async function refresh(): Promise<void> {
    const asked = monotonic()
    const seconds = answered ? (asked - lastGood) / 1000 + overlapSeconds : options.firstSeconds
    try {
      options.found(await options.poll(seconds))
      answered = true
      failing = false
      lastGood = Math.max(lastGood, asked)
    } catch (error) {
      failing = true
      throw error
    }
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => {
      // A failed question is not an event: state() tells, and the next one follows.
      void refresh().catch(() => undefined).finally(schedule)
    }, intervalMilliseconds)
    timer.unref()
  }
  schedule()

  return {
    refresh,
    state() {
      const age = monotonic() - lastGood
      if (age <= staleMilliseconds) return 'fresh'
      if (!failing) return 'stale'
      return age <= blindMilliseconds ? 'down' : 'blind'
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
