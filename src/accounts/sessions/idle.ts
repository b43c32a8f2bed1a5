// Option `sessions.idleSeconds`. A request only adds its session to a set; each instance writes its set down from time to time, and ends what no
// instance has used. What ends is learned from the feed, as with any other end.
import { endUnused } from '../../store/session-ends.js'
import { markUsed } from '../../store/sessions.js'
import type { Db } from '../../store/db.js'

export interface IdleSettings {
  readonly db: Db
  readonly idleSeconds: number
  readonly log: { debug(details: object, message: string): void }
}

export interface Idleness {
  /** A request of this session has arrived. */
  used(sessionId: string): void
  /** Writes the uses down, and stops. */
  stop(): Promise<void>
}

/** How often an instance writes uses down, in seconds. */
function writingSeconds(idleSeconds: number): number {
  return Math.min(30, idleSeconds / 20)
}

/** How old the last use may be that is written down: a later one may not be written yet. */
export function unusedSeconds(idleSeconds: number): number {
  return idleSeconds + writingSeconds(idleSeconds)
}

const batchSize = 5_000

export function startIdleness({ db, idleSeconds, log }: IdleSettings): Idleness {
  const everySeconds = writingSeconds(idleSeconds)
  let uses = new Set<string>()

  async function write(): Promise<void> {
    const ids = [...uses]
    uses = new Set()
    try {
      for (let from = 0; from < ids.length; from += batchSize) await markUsed(db, ids.slice(from, from + batchSize))
    } catch (error) {
      for (const id of ids) uses.add(id)
      throw error
    }
  }

  const work = async () => {
    await write()
    await endUnused(db, unusedSeconds(idleSeconds))
  }
  let working: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    working = work().catch((error: unknown) =>
      log.debug({ err: error }, 'uses of sessions were not written down; it is tried again'),
    )
  }, everySeconds * 1000)
  timer.unref()

  return {
    used: (sessionId) => void uses.add(sessionId),
    async stop() {
      clearInterval(timer)
      await working
      await write().catch((error: unknown) =>
        log.debug({ err: error }, 'the last uses of sessions were not written down'),
      )
    },
  }
}
