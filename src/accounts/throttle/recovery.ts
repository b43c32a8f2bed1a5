// Reservations whose outcome is unknown, because the database did not answer: a statement that was given up may still run when the database
// goes on. Each is settled again until the database has answered and nothing of it can be left.
import {
  type LockoutLimits,
  failAttempt,
  releaseAttempts,
  type Reservation,
  reservationMilliseconds,
} from '../../store/attempts.js'
import type { Db } from '../../store/db.js'

export interface Recovery {
  /** @param isWrong whether the attempt was wrong and has yet to be counted, unless it was */
  add(reservation: Reservation, isWrong: boolean): void
  /** Stops; what is left is forgotten by its time. */
  close(): void
}

interface Unsettled {
  readonly reservation: Reservation
  readonly isWrong: boolean
  /** When the database first answered again; null until then. */
  answeredAt: number | null
}

/** More are left to be forgotten by their time. */
const maxUnsettled = 10_000

const shortestPauseMilliseconds = 100
const longestPauseMilliseconds = 1_000

export function createRecovery(db: Db, limits: LockoutLimits): Recovery {
  let unsettled: Unsettled[] = []
  let timer: NodeJS.Timeout | null = null
  let pauseMilliseconds = shortestPauseMilliseconds
  let isClosed = false

  function schedule(): void {
    if (isClosed || timer !== null || unsettled.length === 0) return
    timer = setTimeout(() => {
      void settleAll().finally(() => {
        timer = null
        pauseMilliseconds = Math.min(longestPauseMilliseconds, pauseMilliseconds * 1.5)
        schedule()
      })
    }, pauseMilliseconds).unref()
  }

  async function settleAll(): Promise<void> {
    const batch = unsettled
    const settled = new Set<string>()
    try {
      for (const { reservation } of batch.filter(({ isWrong }) => isWrong))
        await failAttempt(db, reservation, limits, true)
      const toRelease = batch.filter(({ isWrong }) => !isWrong).map(({ reservation }) => reservation)
      if (toRelease.length > 0) for (const id of await releaseAttempts(db, toRelease)) settled.add(id)
    } catch {
      // The database does not answer yet.
      return
    }
    const now = performance.now()
    for (const one of batch) one.answeredAt ??= now
    // A statement may run later than the first answer, but not later than its reservation would last.
    unsettled = unsettled.filter(
      ({ reservation, answeredAt }) =>
        !settled.has(reservation.id) && (answeredAt === null || now - answeredAt < reservationMilliseconds),
    )
  }

  return {
    add(reservation, isWrong) {
      if (unsettled.length < maxUnsettled) unsettled.push({ reservation, isWrong, answeredAt: null })
      pauseMilliseconds = shortestPauseMilliseconds
      schedule()
    },
    close() {
      isClosed = true
      if (timer !== null) clearTimeout(timer)
      unsettled = []
    },
  }
}
