// Everything in the database that only the key ring can open: what is counted and deleted when the ring is lost.
import { sql } from 'kysely'
import { authenticatorKeyPlace, usedCodesProvider } from './second-factors.js'
import { type Db, table, type Trx } from './db.js'

/** How much there is of each kind. */
export interface SealedCounts {
  readonly sessions: number
  readonly waitingMails: number
  /** Users whose second factor is on. */
  readonly secondFactors: number
  /** Tokens that other systems issued, see `users.setAuthenticationToken`. */
  readonly externalTokens: number
}

/** How a sealed token of another system begins in the database; one that was stored before they were sealed does not. */
export const sealedPrefix = 'identity/v1:'

export async function countSealed(db: Db): Promise<SealedCounts> {
  const {
    rows: [row],
  } = await sql<Record<keyof SealedCounts, string>>`select
    (select count(*) from ${table(db, 'sessions')}) as "sessions",
    (select count(*) from ${table(db, 'outbox')}) as "waitingMails",
    (select count(*) from ${table(db, 'users')} where two_factor_enabled) as "secondFactors",
    (select count(*) from ${table(db, 'user_tokens')} where starts_with(value, ${sealedPrefix})) as "externalTokens"`.execute(
    db.kysely,
  )
  return {
    sessions: Number(row?.sessions),
    waitingMails: Number(row?.waitingMails),
    secondFactors: Number(row?.secondFactors),
    externalTokens: Number(row?.externalTokens),
  }
}

/** Deletes it all, with the keys. Second factors are switched off: without their keys their owners could not sign in. */
export async function deleteSealed(trx: Trx): Promise<SealedCounts> {
  // An instance that rotates its key at the same moment waits, and finds the new ring.
  await sql`lock table ${table(trx, 'keys')} in exclusive mode`.execute(trx.kysely)
  const counts = await countSealed(trx)
  for (const name of ['keys', 'sessions', 'outbox', 'attempts', 'recovery_codes'] as const) {
    await sql`delete from ${table(trx, name)}`.execute(trx.kysely)
  }
  await sql`delete from ${table(trx, 'user_tokens')}
    where login_provider in (${authenticatorKeyPlace.loginProvider}, ${usedCodesProvider}) or starts_with(value, ${sealedPrefix})`.execute(
    trx.kysely,
  )
  await sql`update ${table(trx, 'users')} set two_factor_enabled = false, totp_last_step = 0, concurrency_stamp = gen_random_uuid()
    where two_factor_enabled or totp_last_step <> 0`.execute(trx.kysely)
  return counts
}
