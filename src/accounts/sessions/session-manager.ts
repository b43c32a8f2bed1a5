// Logins as things that can be listed and ended. What ends here is refused by this instance with the next request, and by every
// other instance as soon as its feed has asked again: half a second.
import { isUuid } from '../../ids.js'
import { limitOf, type PageOptions } from '../../page.js'
import type { Db } from '../../store/db.js'
import type { SessionEndCause, SessionSelection } from '../../store/session-ends.js'
import { listSessions, type SessionRecord } from '../../store/sessions.js'
import type { SessionEnds } from './session-ends.js'

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
  /**
   * Whether a session goes on. Asks nothing, and is right on every instance within a second; an id that no session ever had may count as live
   * until the time in it is an hour ago.
   */
  isLive(sessionId: string): boolean
}

/** The same with the cause of an end. */
export interface CausedSessionManager extends SessionManager {
  revoke(sessionId: string, options?: { userId?: string; cause?: SessionEndCause }): Promise<boolean>
  revokeAll(userId: string, options?: { except?: string; cause?: SessionEndCause }): Promise<number>
}

/** @param idleSeconds how long a session can be used after it was last seen; null where the application's options are not known */
export function createSessionManager(db: Db, ends: SessionEnds, idleSeconds: number | null): CausedSessionManager {
  async function endNow(selection: SessionSelection, cause: SessionEndCause): Promise<number> {
    const ids = await ends.end(db, selection, cause)
    ends.ended(ids, cause)
    return ids.length
  }
  return {
    async list(userId, options = {}) {
      const after = options.after ?? null
      if (!isUuid(userId) || (after !== null && !isUuid(after))) return []
      const before = after?.toLowerCase() ?? null
      return listSessions(db, userId.toLowerCase(), { before, limit: limitOf(options), idleSeconds })
    },
    revoke: async (sessionId, { userId, cause = 'revoked' } = {}) =>
      isUuid(sessionId) &&
      (await endNow({ id: sessionId.toLowerCase(), ...(userId === undefined ? {} : { userId }) }, cause)) === 1,
    revokeAll: async (userId, { except, cause = 'revoked' } = {}) => {
      if (!isUuid(userId)) return 0
      const id = userId.toLowerCase()
      return endNow(except === undefined ? { userId: id } : { userId: id, except }, cause)
    },
    isLive: (sessionId) => ends.isLive(sessionId),
  }
}
