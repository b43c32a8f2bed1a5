// `app.identity.healthCheck()`: whether the database answers, ended sessions are known, and the clocks agree.
import type { Feed } from './revocation/feed.js'
import type { Connection } from './store/connect.js'
import { isSessionLive } from './store/sessions.js'
import { readClock } from './store/usable.js'
import { clockSkewSeconds } from './tokens/fields.js'

/** The result of `app.identity.healthCheck()`. */
export interface Health {
  /** All of the others, and a clock within what tokens tolerate. */
  readonly ok: boolean
  /** The database answers. */
  readonly database: boolean
  /** Ended sessions are known. */
  readonly revocations: boolean
  /**
   * How many seconds the clock of this machine is ahead of the database's. Beyond 60 on either side, other instances refuse the tokens of this
   * one, or this one theirs. Missing where the database does not answer, and with option `clock`, which takes the place of both.
   */
  readonly clockSkewSeconds?: number
}

export async function checkHealth(connection: Connection, feed: Feed): Promise<Health> {
  const revocations = feed.state() !== 'blind'
  try {
    const skew = await clockSkew(connection)
    if (skew === null) return { ok: revocations, database: true, revocations }
    return {
      ok: revocations && Math.abs(skew) <= clockSkewSeconds,
      database: true,
      revocations,
      clockSkewSeconds: skew,
    }
  } catch {
    return { ok: false, database: false, revocations }
  }
}

/** Asks what a request would ask. */
export function ping(connection: Connection): Promise<unknown> {
  return isSessionLive(connection, '00000000-0000-0000-0000-000000000000')
}

/** Seconds between the clock of this machine and the database's; null with a clock of the host's. Asks what a request would ask as well. */
async function clockSkew(connection: Connection): Promise<number | null> {
  await ping(connection)
  if (connection.clock !== undefined) return null
  const asked = Date.now()
  const database = await readClock(connection)
  // The answer was made at some time between the question and now.
  const skew = (asked + Date.now()) / 2 - database
  return Math.round(skew) / 1000
}
