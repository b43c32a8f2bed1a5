// The throttle of attempts, as the managers use it: one row for each name, reserved before a password or a code is verified.
import {
  admitAttempt,
  failAttempt,
  type FoundUser,
  type LockoutLimits,
  releaseAttempt,
  reserveAttempt,
} from '../../store/attempts.js'
import type { Db } from '../../store/transaction.js'
import type { UserRecord } from '../../store/users.js'
import { mac, type SealingKey } from '../../tokens/seal.js'
import { normalizeName } from '../users/names.js'
import { waitForRoom } from './wait-for-room.js'

/** The throttle's row of a name: keyed, because what people type as a name may be their password. */
export function attemptKeyOf(vault: SealingKey, userName: string): Buffer {
  return mac(vault, 'throttle', normalizeName(userName) ?? userName)
}

/** What a verification found out: wrong is counted; otherwise the answer, and whether the reservation was given back with it. */
export type Verdict<T> = 'wrong' | { readonly answer: T; readonly isSettled: boolean }

export interface ThrottleDependencies {
  readonly db: Db
  readonly vault: () => SealingKey
  readonly limits: LockoutLimits
  /** Whether names without a user are throttled as those of new users would be. */
  readonly lockoutForNewUsers: boolean
}

export interface Throttle {
  /**
   * Verifies under a reservation and counts what was wrong; `Failed` and `LockedOut` stand for that.
   *
   * @param verify gets the user as of now, and the row of their attempts where they are counted
   * @returns the user too, but for a name that is locked
   * @throws FST_IDENTITY_SIGN_INS_CROWDED
   */
  attempt<T>(
    userName: string,
    verify: (found: FoundUser | null, key: Buffer | null) => Promise<Verdict<T>>,
  ): Promise<{ readonly found: FoundUser | null; readonly answer: T | 'Failed' | 'LockedOut' }>
}

export function createThrottle({ db, vault, limits, lockoutForNewUsers }: ThrottleDependencies): Throttle {
  return {
    async attempt(userName, verify) {
      const key = attemptKeyOf(vault(), userName)
      const admission = await waitForRoom(() =>
        admitAttempt(db, key, normalizeName(userName) ?? '', limits, lockoutForNewUsers),
      )
      if (admission.state === 'locked') return { found: null, answer: 'LockedOut' }
      const { found, tracked } = admission
      let settled = !tracked
      try {
        const verdict = await verify(found, tracked ? key : null)
        if (verdict === 'wrong') {
          settled = true
          return { found, answer: tracked && (await failAttempt(db, key, limits)) ? 'LockedOut' : 'Failed' }
        }
        settled ||= verdict.isSettled
        return { found, answer: verdict.answer }
      } finally {
        // Neither wrong nor complete, or broken off: the reservation goes back. Nobody waits for it: a database that is gone would be
        // waited for twice, and a reservation that stays is forgotten after 15 s.
        if (!settled) void releaseAttempt(db, key).catch(() => undefined)
      }
    },
  }
}

/** What was proved; its reservation goes back with the change that it allows, or by `release`. */
export interface Proof {
  /** The row of the reservation; null where nothing was reserved. */
  readonly key: Buffer | null
  release(): Promise<void>
}

/** Whether a signed-in user proves something, under the throttle of their name: a stolen session is no way around it. */
export async function provesUnderThrottle(
  db: Db,
  vault: SealingKey,
  limits: LockoutLimits,
  user: UserRecord,
  verify: () => Promise<boolean>,
): Promise<boolean> {
  const proof = await reserveProof(db, vault, limits, user, verify)
  await proof?.release()
  return proof !== null
}

/**
 * The same with the reservation still held; null for a wrong proof, which is counted. With a session it is counted by that: a stolen session cannot
 * guess without a limit, and wrong logins of strangers do not keep the owner from a change.
 */
export async function reserveProof(
  db: Db,
  vault: SealingKey,
  limits: LockoutLimits,
  user: UserRecord,
  verify: () => Promise<boolean>,
  sessionId?: string,
): Promise<Proof | null> {
  if (!user.lockoutEnabled) return (await verify()) ? { key: null, release: () => Promise.resolve() } : null
  // No name has a NUL.
  const key = attemptKeyOf(vault, sessionId === undefined ? user.userName : `\0session ${sessionId}`)
  if ((await waitForRoom(() => reserveAttempt(db, key, limits))).state === 'locked') return null
  const release = () => releaseAttempt(db, key).catch(() => undefined)
  let isRight: boolean
  try {
    isRight = await verify()
  } catch (error) {
    await release()
    throw error
  }
  if (isRight) return { key, release }
  await failAttempt(db, key, limits)
  return null
}
