// Deletes what is over: notes of ended sessions and changed claims, attempts of names, and what this instance remembers of the notes. Each instance does it once a minute, and none must.
import type { Clock } from '../../clock.js'
import type { ClaimChanges } from '../../revocation/claim-changes.js'
import type { DenyList } from '../../revocation/deny-list.js'
import { purgeAttempts } from '../../store/attempts.js'
import { purgeNotes } from '../../store/session-ends.js'
import type { Db } from '../../store/db.js'

export interface TidyingDependencies {
  readonly db: Db
  readonly clock: Clock
  readonly denyList: Pick<DenyList, 'purge'>
  readonly claimChanges: Pick<ClaimChanges, 'purge'>
  /** How long a note is kept, in seconds: as long as the feeds of other instances may ask for it. */
  readonly keepEndedSeconds: number
  /** Not more often than the polls of option `revocation`. */
  readonly pollMilliseconds: number
  readonly log: { debug(details: object, message: string): void }
}

const tidyMilliseconds = 60_000

/** @returns stops it */
export function startTidying({
  db,
  clock,
  denyList,
  claimChanges,
  keepEndedSeconds,
  pollMilliseconds,
  log,
}: TidyingDependencies): () => void {
  const timer = setInterval(
    () => {
      denyList.purge(clock())
      claimChanges.purge(clock())
      void Promise.all([purgeNotes(db, keepEndedSeconds), purgeAttempts(db)]).catch((error: unknown) =>
        log.debug({ err: error }, 'tidying up failed; it is tried again'),
      )
    },
    Math.max(tidyMilliseconds, pollMilliseconds),
  )
  timer.unref()
  return () => clearInterval(timer)
}
