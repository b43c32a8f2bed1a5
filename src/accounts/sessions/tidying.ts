// Deletes what is over: ended sessions, attempts of names, and entries of the deny list. Each instance does it once a minute, and none must.
import type { Clock } from '../../clock.js'
import type { DenyList } from '../../revocation/deny-list.js'
import { purgeAttempts } from '../../store/attempts.js'
import { purgeSessions } from '../../store/sessions.js'
import type { Db } from '../../store/transaction.js'

export interface TidyingDependencies {
  readonly db: Db
  readonly clock: Clock
  readonly denyList: Pick<DenyList, 'purge'>
  /** How long a session that has ended is kept, in seconds: as long as the feeds of other instances may ask for it. */
  readonly keepEndedSeconds: number
  readonly log: { debug(details: object, message: string): void }
}

const tidyMilliseconds = 60_000

/** @returns stops it */
export function startTidying({ db, clock, denyList, keepEndedSeconds, log }: TidyingDependencies): () => void {
  const timer = setInterval(() => {
    denyList.purge(clock())
    void Promise.all([purgeSessions(db, keepEndedSeconds), purgeAttempts(db)]).catch((error: unknown) =>
      log.debug({ err: error }, 'tidying up failed; it is tried again'),
    )
  }, tidyMilliseconds)
  timer.unref()
  return () => clearInterval(timer)
}
