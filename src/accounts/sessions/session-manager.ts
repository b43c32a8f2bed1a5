// Logins as things that can be listed and ended. What ends here is refused by this instance with the next request, and by every
// other instance as soon as its feed has asked again: half a second.
import type { Clock } from '../../clock.js'
import { isUuid } from '../../ids.js'
import { limitOf, type PageOptions } from '../../page.js'
import { type DenyList } from '../../revocation/deny-list.js'
import type { Db } from '../../store/transaction.js'
import { endSessions, listSessions, type SessionRecord, type SessionSelection } from '../../store/sessions.js'

/** `app.identity.sessions`. */
export interface SessionManager {
  /**
   * The sessions of a user that can still be used, newest first: one whose last token or cookie has expired is left out. `after` is the id of
   * the last session of the page before.
   */
  list(userId: string, options?: PageOptions): Promise<readonly SessionRecord[]>
  /** Ends one session, with `userId` only if it is this user's; false when it had ended already. Its tokens and cookies are refused at once. */
  revoke(sessionId: string, options?: { userId?: string }): Promise<boolean>
  /** Ends all sessions of a user, but for `except`; answers how many. */
  revokeAll(userId: string, options?: { except?: string }): Promise<number>
}

export interface SessionEnder {
  /** Ends sessions inside or outside a transaction; the ids must be passed to `ended` once it has committed. */
  end(db: Db, selection: SessionSelection): Promise<string[]>
  ended(sessionIds: readonly string[]): void
}

/**
 * @param longestUnvalidatedSeconds how long any ticket is believed without asking the database
 */
export function createSessionEnder(denyList: DenyList, clock: Clock, longestUnvalidatedSeconds: number): SessionEnder {
  return {
    end: endSessions,
    // A minute more than needed, for clocks that differ.
    ended: (ids) => denyList.add(ids, clock() + (longestUnvalidatedSeconds + 60) * 1000),
  }
}

/** @param idleSeconds how long a session can be used after it was last seen; null where the application's options are not known */
export function createSessionManager(db: Db, ender: SessionEnder, idleSeconds: number | null): SessionManager {
  async function endNow(selection: SessionSelection): Promise<number> {
    const ids = await ender.end(db, selection)
    ender.ended(ids)
    return ids.length
  }
  return {
    async list(userId, options = {}) {
      const after = options.after ?? null
      if (!isUuid(userId) || (after !== null && !isUuid(after))) return []
      const before = after?.toLowerCase() ?? null
      return listSessions(db, userId.toLowerCase(), { before, limit: limitOf(options), idleSeconds })
    },
    revoke: async (sessionId, { userId } = {}) =>
      isUuid(sessionId) &&
      (await endNow({ id: sessionId.toLowerCase(), ...(userId === undefined ? {} : { userId }) })) === 1,
    revokeAll: async (userId, { except } = {}) => {
      if (!isUuid(userId)) return 0
      return endNow(except === undefined ? { userId: userId.toLowerCase() } : { userId: userId.toLowerCase(), except })
    },
  }
}
