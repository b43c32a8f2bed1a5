// The two locks of a user: the throttle's, which failed attempts set for a name and which expires, and an
// administrator's, in the user's row. Either locks the user out. Failures are counted by name, outside the user's
// row, so that no attempt waits for that row.
import { isLockedByHand } from '../../store/users.js'
import { failed, type IdentityResult, success } from '../../errors.js'
import { clearAttempts, countFailure, type LockoutLimits, readAttempts, resetFailures } from '../../store/attempts.js'
import { type AccountContext, changeUser } from '../users/change-user.js'
import { attemptKeyOf } from '../throttle/throttle.js'
import type { User } from '../users/user.js'

/**
 * Locks and failed attempts. When an administrator's lock begins, the stamp rotates and all sessions end (in the
 * reference neither).
 */
export interface LockoutManager {
  /**
   * Whether the user is locked out now, by failed attempts or by an administrator; always false when lockout is not
   * enabled for them.
   */
  isLockedOut(user: User): Promise<boolean>
  /** Whether the user can be locked out, as the object has it. */
  getLockoutEnabled(user: User): boolean
  /**
   * Sets whether the user can be locked out at all. Enabling it starts a lock whose end is in the future. @returns
   * ConcurrencyFailure
   */
  setLockoutEnabled(user: User, enabled: boolean): Promise<IdentityResult>
  /**
   * The end of the later lock, past or future; null when there is none. A lock without an end returns
   * `9999-12-31T23:59:59.999Z`.
   */
  getLockoutEndDate(user: User): Promise<Date | null>
  /**
   * Sets or removes the administrator's lock; the throttle's stays, see `unlock`. A date in the future rotates the
   * stamp and ends all sessions.
   *
   * @returns UserLockoutNotEnabled, ConcurrencyFailure
   * @throws TypeError when `end` is an invalid date
   */
  setLockoutEndDate(user: User, end: Date | null): Promise<IdentityResult>
  /**
   * Locks the user out until a date, or without an end: `setLockoutEndDate`. Rotates the stamp and ends all sessions.
   * @returns UserLockoutNotEnabled, ConcurrencyFailure
   */
  lock(user: User, until?: Date): Promise<IdentityResult>
  /** Removes both locks and resets failed attempts, even when lockout is not enabled. @returns ConcurrencyFailure */
  unlock(user: User): Promise<IdentityResult>
  /**
   * Counts a failed attempt of your own kind of sign-in; `lockout.maxFailedAccessAttempts` of them lock the name for
   * a while. While it is locked nothing is counted. Ends no session.
   */
  accessFailed(user: User): Promise<IdentityResult>
  /** Resets failed attempts; a lock that they have set stays until it expires (as in the reference). */
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
