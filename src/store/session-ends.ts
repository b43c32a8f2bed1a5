// How sessions end: the row goes and a note with the cause stays, which every instance reads within a second; and what a change of a user
// does to the sessions of that user, in the transaction of the change.
import { type RawBuilder, sql } from 'kysely'
import type { Reservation } from './attempts.js'
import { deleteInBatches } from './batches.js'
import { type ClaimChange, noteClaims } from './claim-changes.js'
import { type Db, table, type Trx } from './db.js'
import { retrying } from './transaction.js'
import { type UserRecord, userUpdate } from './users.js'

/**
 * Why a session ended. `tooMany`: a newer one took its place, see option `sessions.maxPerUser`; `expired`: it reached its end, or was not used
 * for `sessions.idleSeconds`; `stampChanged`: `users.updateSecurityStamp`, or a stamp that was changed by SQL.
 */
export type SessionEndCause =
  | 'signOut'
  | 'revoked'
  | 'passwordChanged'
  | 'passwordReset'
  | 'twoFactorChanged'
  | 'loginRemoved'
  | 'passkeyRemoved'
  | 'stampChanged'
  | 'locked'
  | 'deleted'
  | 'reuse'
  | 'tooMany'
  | 'expired'

/** Which sessions to end: one, all of a user, or all but one. */
export type SessionSelection =
  { readonly id: string; readonly userId?: string } | { readonly userId: string; readonly except?: string }

/**
 * Ends sessions and leaves the note that every instance reads within a second.
 *
 * @returns the ids that were ended now
 */
export async function endSessions(db: Db, selection: SessionSelection, cause: SessionEndCause): Promise<string[]> {
  const condition =
    'id' in selection
      ? sql`id = ${selection.id} and (${selection.userId ?? null}::text is null or user_id::text = lower(${selection.userId ?? null}))`
      : othersOf(selection.userId, selection.except)
  const { rows } = await sql<{ id: string }>`
    with ended as (delete from ${table(db, 'sessions')} where ${condition} returning id)
    ${noteEnds(db, cause)} returning session_id as id`.execute(db.kysely)
  return rows.map(({ id }) => id)
}

/** What a change of a user does beside the user's row. */
export interface Aftermath {
  readonly userId: string
  /** Ends the sessions of the user, but for `keep`; null: they all stay. */
  readonly ends: { readonly cause: SessionEndCause; readonly keep?: string | undefined } | null
  /** What stays goes on under the new stamp; what had another stamp than the old one does not. Null: the stamp is the same. */
  readonly stamp: { readonly from: string; readonly to: string } | null
  /** A reservation of the throttle that the change gives back. */
  readonly release?: Reservation | null | undefined
}

/** What was done beside the user's row, to be made known once it is committed. */
export interface Settled {
  readonly ended: readonly string[]
  readonly changes: readonly ClaimChange[]
}

/**
 * Ends, keeps and notes, in one statement behind that of the change, which holds the user's row: a session that was
 * opened meanwhile is found here.
 */
export async function settleSessions(trx: Trx, aftermath: Aftermath): Promise<Settled> {
  const { rows } = await sql<SettledRow>`
    with ${settling(trx, aftermath, sql`true`)}`.execute(trx.kysely)
  return settled(rows)
}

/**
 * The change of a user's row and its aftermath in one statement. A session that was being opened at the same moment
 * may be missed: `endOutdated` follows.
 *
 * @returns null when the concurrency stamp no longer matches, or the user is gone
 */
export async function changeUserAlone(
  db: Db,
  user: UserRecord,
  expectedConcurrencyStamp: string,
  uniqueEmail: string | null | undefined,
  aftermath: Aftermath,
): Promise<Settled | null> {
  const { rows } = await retrying(() =>
    sql<SettledRow>`
    with written as (${userUpdate(db, user, expectedConcurrencyStamp, uniqueEmail)}),
    ${settling(db, aftermath, sql`exists (select 1 from written)`)}`.execute(db.kysely),
  )
  // The note is always written.
  return rows.length === 0 ? null : settled(rows)
}

/** Ends the sessions of a user under another stamp than the user's. @returns their ids */
export async function endOutdated(db: Db, userId: string, cause: SessionEndCause): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with ended as (
      delete from ${table(db, 'sessions')} s using ${table(db, 'users')} u
      where u.id = ${userId} and s.user_id = u.id and s.security_stamp <> u.security_stamp returning s.id)
    ${noteEnds(db, cause)} returning session_id as id`.execute(db.kysely)
  return rows.map(({ id }) => id)
}

type SettledRow = { id: string | null } & ClaimChange

function settled(rows: readonly SettledRow[]): Settled {
  return {
    ended: rows.flatMap(({ id }) => (id === null ? [] : [id])),
    changes: rows.flatMap(({ id, subject, mark, at }) => (id === null ? [{ subject, mark, at }] : [])),
  }
}

/** The parts of a statement that does an aftermath, and its end; `gate` says whether the change has happened. */
function settling(
  db: Db,
  { userId, ends, stamp, release = null }: Aftermath,
  gate: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const goes = ends === null ? sql`false` : othersOf(userId, ends.keep)
  const kept =
    stamp === null
      ? sql`select 1`
      : sql`update ${table(db, 'sessions')} set security_stamp = ${stamp.to}
        where ${gate} and user_id = ${userId} and not (${goes}) and coalesce(security_stamp, ${stamp.from}) = ${stamp.from}`
  return sql`
    ended as (delete from ${table(db, 'sessions')} where ${gate} and ${goes} returning id),
    kept as (${kept}),
    released as (
      update ${table(db, 'attempts')} set reservations = reservations - ${release?.id ?? null}::text
      where ${gate} and key = ${release?.key ?? null}::bytea),
    changed as (${noteClaims(db, sql`select 'u:' || ${userId}::text where ${gate}`)}),
    ends as (${noteEnds(db, ends?.cause ?? 'revoked')} returning session_id)
    select null as id, subject, mark, at from changed union all select session_id, null, null, null from ends`
}

/** Ends the oldest sessions of a user beyond `most`. @returns their ids */
export async function endOldest(db: Db, userId: string, most: number): Promise<string[]> {
  const { rows } = await retrying(() =>
    sql<{ id: string }>`
    with ended as (delete from ${table(db, 'sessions')} where id = any(array(
      select id from ${table(db, 'sessions')} where user_id = ${userId} order by id desc offset ${most})) returning id)
    ${noteEnds(db, 'tooMany')} returning session_id as id`.execute(db.kysely),
  )
  return rows.map(({ id }) => id)
}

const batchSize = 5_000

/** Ends the sessions that are over; passes over rows that are in use, or that another instance ends at the moment. */
export async function endExpired(db: Db): Promise<void> {
  await endWhere(db, sql`expires_at <= ${db.now()}`)
}

/** The same for sessions that were not used for so many seconds. */
export async function endUnused(db: Db, seconds: number): Promise<void> {
  await endWhere(db, sql`last_seen_at <= ${db.now()} - make_interval(secs => ${seconds})`)
}

async function endWhere(db: Db, isOver: RawBuilder<unknown>): Promise<void> {
  for (;;) {
    const { rows } = await sql`
      with ended as (delete from ${table(db, 'sessions')} where id = any(array(
        select id from ${table(db, 'sessions')} where ${isOver} limit ${batchSize} for update skip locked)) returning id)
      ${noteEnds(db, 'expired')} returning session_id`.execute(db.kysely)
    if (rows.length < batchSize) return
  }
}

/** Drops notes that no ticket can need any more. */
export async function purgeNotes(db: Db, keepNotesSeconds: number): Promise<void> {
  const isOld = (at: string) => sql`${sql.ref(at)} < ${db.now()} - make_interval(secs => ${keepNotesSeconds})`
  await deleteInBatches(db, 'revocations', isOld('revoked_at'))
  await deleteInBatches(db, 'claim_changes', isOld('changed_at'))
}

function othersOf(userId: string, keep: string | undefined): RawBuilder<unknown> {
  return sql`user_id = ${userId} and (${keep ?? null}::text is null or id::text <> lower(${keep ?? null}))`
}

/** Behind a part of the statement that is called `ended`. */
function noteEnds(db: Db, cause: SessionEndCause): RawBuilder<unknown> {
  return sql`
    insert into ${table(db, 'revocations')} (session_id, revoked_at, cause) select id, ${db.now()}, ${cause} from ended
    on conflict (session_id) do nothing`
}
