// Locks of users, of two kinds: the throttle's, which failed attempts set for a name and time opens, and an administrator's, which stands in
// the user's row. A user is locked out by either. The failures are counted beside the user, by name, so that no guess waits for a row.
import { failed, type IdentityResult, success } from '../../errors.js'
import { clearAttempts, countFailure, type LockoutLimits, readAttempts, resetFailures } from '../../store/attempts.js'
import { type AccountContext, changeUser } from '../users/change-user.js'
import { isLockedByHand } from '../users/locked-by-hand.js'
import { attemptKeyOf } from '../throttle/throttle.js'
import type { User } from '../users/user.js'

/** Locks and failed attempts. The stamp rotates, and all sessions end, where an administrator's lock begins (in the reference neither). */
export interface LockoutManager {
  /** Whether the user is locked out now, by failed attempts or by an administrator; never where lockout is not enabled for them. */
  isLockedOut(user: User): Promise<boolean>
  getLockoutEnabled(user: User): boolean
  /** Whether the user can be locked out at all. Where a lock is not over, enabling begins it. @returns ConcurrencyFailure */
  setLockoutEnabled(user: User, enabled: boolean): Promise<IdentityResult>
  /** When the later of the two locks is over, or was; null where there is none. A lock without an end is over at `9999-12-31T23:59:59.999Z`. */
  getLockoutEndDate(user: User): Promise<Date | null>
  /**
   * Sets or takes away the administrator's lock; the throttle's stays, see `unlock`. A date in the future rotates the stamp and ends all
   * sessions.
   *
   * @returns UserLockoutNotEnabled, ConcurrencyFailure
   * @throws TypeError when `end` is an invalid date
   */
  setLockoutEndDate(user: User, end: Date | null): Promise<IdentityResult>
  /** Locks the user out until a date, or for good: `setLockoutEndDate`. Rotates the stamp and ends all sessions. @returns UserLockoutNotEnabled, ConcurrencyFailure */
  lock(user: User, until?: Date): Promise<IdentityResult>
  /** Opens both locks and forgets failed attempts, also where lockout is not enabled. @returns ConcurrencyFailure */
  unlock(user: User): Promise<IdentityResult>
  /**
   * Counts a failed attempt of a sign-in of your own; as many as `lockout.maxFailedAccessAttempts` lock the name for a while. While it is
   * locked nothing is counted. Ends no session.
   */
  accessFailed(user: User): Promise<IdentityResult>
  /** Forgets failed attempts; a lock that they have set stays until its time is over (as in the reference). */
  resetAccessFailedCount(user: User): Promise<IdentityResult>
  /** Failed attempts since the last success or lock. */
  getAccessFailedCount(user: User): Promise<number>
}

/** The end of a lock without one, as the reference writes it. */
const never = new Date('9999-12-31T23:59:59.999Z')

export function createLockoutManager(context: AccountContext, limits: LockoutLimits): LockoutManager {
  const { db, clock, describe, keys } = context
  const keyOf = (user: User) => attemptKeyOf(keys.vault(), user.userName)

  async function setLockoutEndDate(user: User, end: Date | null): Promise<IdentityResult> {
    if (end !== null && Number.isNaN(end.getTime())) throw new TypeError('The end of a lock is an invalid date')
    if (!user.lockoutEnabled) return failed(describe, [{ code: 'UserLockoutNotEnabled' }])
    return changeUser(context, user, { lockoutEnd: end === null || end <= never ? end : never })
  }

  return {
    async isLockedOut(user) {
      if (!user.lockoutEnabled) return false
      return isLockedByHand(user, clock()) || (await readAttempts(db, keyOf(user))).locked
    },
    getLockoutEnabled: (user) => user.lockoutEnabled,
    setLockoutEnabled: (user, enabled) => changeUser(context, user, { lockoutEnabled: enabled }),
    async getLockoutEndDate(user) {
      const { lockedUntil } = await readAttempts(db, keyOf(user))
      const ends = [lockedUntil, user.lockoutEnd?.getTime()].filter((end) => end !== null && end !== undefined)
      return ends.length === 0 ? null : new Date(Math.min(Math.max(...ends), never.getTime()))
    },
    setLockoutEndDate,
    lock: (user, until = never) => setLockoutEndDate(user, until),
    unlock: (user) =>
      changeUser(context, user, { lockoutEnd: null }, { also: (trx) => clearAttempts(trx, keyOf(user)) }),
    async accessFailed(user) {
      await countFailure(db, keyOf(user), limits)
      return success
    },
    async resetAccessFailedCount(user) {
      await resetFailures(db, keyOf(user))
      return success
    },
    getAccessFailedCount: async (user) => (await readAttempts(db, keyOf(user))).failures,
  }
}
