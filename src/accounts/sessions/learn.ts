// Takes in what the feed brings: sessions that other instances have ended, and users and roles whose claims have changed.
import type { ClaimChange } from '../../store/claim-changes.js'
import type { Db } from '../../store/db.js'
import type { Notes } from '../../store/notes.js'
import { endExpired, type SessionEndCause } from '../../store/session-ends.js'
import type { SessionEnds } from './session-ends.js'

export interface LearningDependencies {
  readonly db: Db
  readonly sessionEnds: Pick<SessionEnds, 'ended' | 'endedBefore' | 'sweep'>
  readonly claimsChanged: (changes: readonly ClaimChange[]) => void
  readonly log: { debug(details: object, message: string): void }
}

/** @param isStarting whether the notes are from before this instance began: then no listener hears of them */
export function learn(
  { db, sessionEnds, claimsChanged, log }: LearningDependencies,
  { ends, changes, isDue }: Notes,
  isStarting: boolean,
): void {
  const byCause = new Map<SessionEndCause, string[]>()
  for (const { id, cause } of ends) {
    const ids = byCause.get(cause)
    if (ids === undefined) byCause.set(cause, [id])
    else ids.push(id)
  }
  for (const [cause, ids] of byCause) {
    if (isStarting) sessionEnds.endedBefore(ids)
    else sessionEnds.ended(ids, cause)
  }
  claimsChanged(changes)
  sessionEnds.sweep()
  if (isDue)
    void endExpired(db).catch((error: unknown) =>
      log.debug({ err: error }, 'expired sessions stay until the next time'),
    )
}
