// What this instance knows of sessions that end: refuses their tickets with the next request, reports the end once, and fires the signals of
// connections that outlive a request. What other instances end is learned from the feed.
import type { Clock } from '../../clock.js'
import { isUuid } from '../../ids.js'
import type { DenyList } from '../../revocation/deny-list.js'
import type { Db } from '../../store/db.js'
import { type SessionEndCause, endSessions, type SessionSelection } from '../../store/session-ends.js'

export interface SessionEnder {
  /** Ends sessions inside or outside a transaction; the ids must be passed to `ended` once it has committed. */
  readonly end: (db: Db, selection: SessionSelection, cause: SessionEndCause) => Promise<string[]>
  /** Refuses these sessions from now on, and reports those that were not known to have ended. */
  ended(sessionIds: readonly string[], cause: SessionEndCause): void
}

export interface SessionEnds extends SessionEnder {
  /** The same for what ended before this instance began: reported to no listener. */
  endedBefore(sessionIds: readonly string[]): void
  /** Whether a session goes on, by what this instance knows. */
  isLive(sessionId: string): boolean
  /** Aborts when the session ends, at the latest at `expiresAt` (milliseconds since the epoch). */
  signalOf(sessionId: string, expiresAt: number): AbortSignal
  /** Fires the signals of sessions that are over, and forgets what is known of them. */
  sweep(): void
}

export interface SessionEndsDependencies {
  readonly denyList: DenyList
  readonly clock: Clock
  /** How long any ticket is believed without asking the database. */
  readonly longestUnvalidatedSeconds: number
  /** Longest life of a session. */
  readonly absoluteSeconds: number
  /** Whether a session exists, for one that is older than what is remembered here. */
  readonly isInDatabase: (sessionId: string) => Promise<boolean>
  readonly report: (sessionIds: readonly string[], cause: SessionEndCause) => void
}

interface Watched {
  isEnded: boolean
  readonly expiresAt: number
  controller: AbortController | null
}

// For clocks that differ.
const skewMilliseconds = 60_000

export function createSessionEnds(dependencies: SessionEndsDependencies): SessionEnds {
  const { denyList, clock } = dependencies
  const rememberedMilliseconds = dependencies.longestUnvalidatedSeconds * 1000 + skewMilliseconds
  // Sessions that were asked about: what is known of them is kept for as long as they could last.
  const watched = new Map<string, Watched>()

  function refuse(sessionIds: readonly string[], reason: string): string[] {
    const added = denyList.add(sessionIds, clock() + rememberedMilliseconds)
    for (const id of added) end(watched.get(id), reason)
    return added
  }

  function end(session: Watched | undefined, reason: string): void {
    if (session === undefined || session.isEnded) return
    session.isEnded = true
    session.controller?.abort(new DOMException(`The session has ended: ${reason}`, 'AbortError'))
  }

  function watch(id: string, expiresAt: number): Watched {
    let session = watched.get(id)
    if (session !== undefined) return session
    session = { isEnded: denyList.has(id), expiresAt, controller: null }
    watched.set(id, session)
    return session
  }

  return {
    end: endSessions,
    ended(sessionIds, cause) {
      const added = refuse(sessionIds, cause)
      if (added.length > 0) dependencies.report(added, cause)
    },
    endedBefore: (sessionIds) => void refuse(sessionIds, 'before'),

    isLive(given) {
      const id = given.toLowerCase()
      const createdAt = createdAtOf(id)
      const now = clock()
      const expiresAt = createdAt + dependencies.absoluteSeconds * 1000
      if (createdAt > now + skewMilliseconds || expiresAt <= now || denyList.has(id)) return false
      const known = watched.get(id)
      if (known !== undefined) return !known.isEnded && known.expiresAt > now
      const session = watch(id, expiresAt)
      // Older than what is remembered of ends: asked for once, beside the answer.
      if (createdAt <= now - rememberedMilliseconds) {
        dependencies.isInDatabase(id).then(
          (isThere) => {
            if (!isThere) end(session, 'before')
          },
          () => watched.delete(id),
        )
      }
      return true
    },

    signalOf(id, expiresAt) {
      const session = watch(id, expiresAt)
      if (session.controller === null) {
        session.controller = new AbortController()
        if (session.isEnded || denyList.has(id)) session.controller.abort()
      }
      return session.controller.signal
    },

    sweep() {
      const now = clock()
      for (const [id, session] of watched) {
        if (session.expiresAt > now) continue
        end(session, 'expired')
        watched.delete(id)
      }
    },
  }
}

/** When a session with this id was opened, in milliseconds since the epoch (RFC 9562 §5.7); infinity for what is no id of ours. */
function createdAtOf(id: string): number {
  return isUuid(id) && id.charAt(14) === '7' ? parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : Infinity
}
