// The throttle of attempts, as the managers use it: one row for each name, reserved before a password or a code is verified.
import {
  admitAttempt,
  failAttempt,
  type FoundUser,
  type LockoutLimits,
  releaseAttempts,
  type Reservation,
} from '../../store/attempts.js'
import type { Db } from '../../store/db.js'
import type { UserRecord } from '../../store/users.js'
import { mac, type SealingKey } from '../../tokens/seal.js'
import { newReservationId } from '../../tokens/stamp.js'
import { nameKeys } from '../../store/name-keys.js'
import { createNameQueues } from './name-queue.js'
import { createRecovery } from './recovery.js'

/** The throttle's row of a name: keyed, because what people type as a name may be their password. */
export function attemptKeyOf(vault: SealingKey, userName: string): Buffer {
  return mac(vault, 'throttle', nameKeys(userName)?.folded ?? userName)
}

/** The result of a verification: wrong is counted; otherwise the answer, and whether the reservation was settled with it. */
export type Verdict<T> = 'wrong' | { readonly answer: T; readonly isSettled: boolean }

export interface ThrottleSettings extends LockoutLimits {
  /** Whether names without a user are throttled as those of new users would be. */
  readonly allowedForNewUsers: boolean
  /** How long an attempt waits for others of its name. */
  readonly maxWaitSeconds: number
}

export interface Throttle {
  /**
   * Verifies under a reservation and counts a wrong attempt; `Failed` and `LockedOut` stand for that.
   *
   * @param db where the attempt is counted: the pool, or a host's transaction
   * @param sessionId counts the attempt by this session instead of the name: a stolen session cannot guess without a limit, and wrong
   *   logins of strangers do not keep the owner from a change
   * @param verify gets the user as of now, and the reservation where attempts are counted
   * @returns the user too, except for a name that is locked
   * @throws FST_IDENTITY_SIGN_INS_CROWDED
   */
  attempt<T>(
    db: Db,
    userName: string,
    verify: (found: FoundUser | null, reservation: Reservation | null) => Promise<Verdict<T>>,
    sessionId?: string,
  ): Promise<{ readonly found: FoundUser | null; readonly answer: T | 'Failed' | 'LockedOut' }>
  /** Stops settling reservations of which the database has not answered. */
  close(): void
}

/** Attempts that wait for others of their name. */
const maxWaiting = 256

export function createThrottle(database: Db, vault: () => SealingKey, settings: ThrottleSettings): Throttle {
  const queues = createNameQueues({
    room: settings.maxFailedAccessAttempts,
    maxWaiting,
    maxWaitMilliseconds: settings.maxWaitSeconds * 1000,
  })
  const recovery = createRecovery(database, settings)

  /** Runs a statement about a reservation. Without an answer its outcome is unknown, unless a transaction has rolled it back. */
  async function settling<T>(db: Db, reservation: Reservation, isWrong: boolean, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!db.kysely.isTransaction) recovery.add(reservation, isWrong)
      throw error
    }
  }

  return {
    async attempt(db, userName, verify, sessionId) {
      // No name has a NUL.
      const key = attemptKeyOf(vault(), sessionId === undefined ? userName : `\0session ${sessionId}`)
      const name = nameKeys(userName) ?? { folded: '', spelled: '' }
      const reservation = { key, id: newReservationId() }
      const { admission, leave } = await queues.enter(key.toString('latin1'), () =>
        settling(db, reservation, false, () =>
          admitAttempt(db, reservation, name, settings, settings.allowedForNewUsers),
        ),
      )
      if (admission.state === 'locked') return { found: null, answer: 'LockedOut' }
      const { found, tracked } = admission
      let settled = !tracked
      try {
        const verdict = await verify(found, tracked ? reservation : null)
        if (verdict === 'wrong') {
          settled = true
          const locks = tracked && (await settling(db, reservation, true, () => failAttempt(db, reservation, settings)))
          return { found, answer: locks ? 'LockedOut' : 'Failed' }
        }
        settled ||= verdict.isSettled
        return { found, answer: verdict.answer }
      } finally {
        if (settled) leave()
        else {
          // Neither wrong nor complete, or interrupted. The answer does not wait for this.
          const released = settling(db, reservation, false, () => releaseAttempts(db, [reservation]))
            .catch(() => undefined)
            .finally(leave)
          // A host's transaction may end right after the answer.
          if (db.kysely.isTransaction) await released
        }
      }
    },
    close: () => recovery.close(),
  }
}

/** Whether a signed-in user proves something, under the throttle of their name: a stolen session does not get around it. */
export async function proves(
  throttle: Throttle,
  db: Db,
  user: UserRecord,
  isRight: () => Promise<boolean>,
): Promise<boolean> {
  const { answer } = await throttle.attempt(db, user.userName, async (): Promise<Verdict<true>> =>
    (await isRight()) ? { answer: true, isSettled: false } : 'wrong',
  )
  return answer === true
}
