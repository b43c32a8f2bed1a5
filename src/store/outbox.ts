// Transactional outbox: mail is stored with the change that causes it and delivered after commit. A worker claims a
// row by moving its due time ahead; when the worker dies, another one claims it after that. Always by the database's
// own clock: a due time is no expiry.
import { sql } from 'kysely'
import { type Db, table } from './db.js'

/** A stored mail; its contents are sealed. */
export interface OutboxRecord {
  readonly id: string
  readonly userId: string | null
  readonly kind: string
  readonly sealed: string
}

export interface ClaimedMail extends OutboxRecord {
  /** Including this attempt. */
  readonly attempts: number
  readonly ageSeconds: number
}

/** The columns of a new row, in the order id, user_id, kind, sealed, created_at, due_at, for an insert of any kind. */
export function mailValues({ id, userId, kind, sealed }: OutboxRecord) {
  return [
    sql<string>`${id}::uuid`.as('mail_id'),
    sql<string | null>`${userId}::uuid`.as('user_id'),
    sql<string>`${kind}::text`.as('kind'),
    sql<string>`${sealed}::text`.as('sealed'),
    sql<Date>`statement_timestamp()`.as('created_at'),
    sql<Date>`statement_timestamp()`.as('due_at'),
  ] as const
}

export async function insertMail(db: Db, mail: OutboxRecord): Promise<void> {
  await sql`insert into ${table(db, 'outbox')} (id, user_id, kind, sealed, created_at, due_at)
    select ${sql.join([...mailValues(mail)])}`.execute(db.kysely)
}

type ClaimedRow = OutboxRecord & { attempts: number | string; ageSeconds: number | string }

/** Takes mails that are due, for `leaseSeconds`; no two workers get the same one. */
export async function claimMails(db: Db, limit: number, leaseSeconds: number): Promise<ClaimedMail[]> {
  const { rows } = await sql<ClaimedRow>`
    update ${table(db, 'outbox')} set attempts = attempts + 1, due_at = statement_timestamp() + make_interval(secs => ${leaseSeconds})
    where id in (
      select id from ${table(db, 'outbox')} where failed_at is null and due_at <= statement_timestamp()
      order by due_at limit ${limit} for update skip locked)
    returning id, user_id as "userId", kind, sealed, attempts,
      extract(epoch from statement_timestamp() - created_at)::double precision as "ageSeconds"`.execute(db.kysely)
  // A cluster whose integers have 64 bits delivers them as text.
  return rows.map((row) => ({ ...row, attempts: Number(row.attempts), ageSeconds: Number(row.ageSeconds) }))
}

/** Puts a mail back for another attempt. */
export async function postponeMail(db: Db, id: string, seconds: number): Promise<void> {
  await sql`update ${table(db, 'outbox')} set due_at = statement_timestamp() + make_interval(secs => ${seconds}) where id = ${id}`.execute(
    db.kysely,
  )
}

/** Deletes a mail that was sent. */
export async function deleteMail(db: Db, id: string): Promise<void> {
  await db.kysely.deleteFrom('outbox').where('id', '=', id).execute()
}

/** Keeps a mail that cannot be delivered for an administrator; it is not retried. */
export async function failMail(db: Db, id: string): Promise<void> {
  await sql`update ${table(db, 'outbox')} set failed_at = statement_timestamp() where id = ${id}`.execute(db.kysely)
}

/** Seconds until the next mail is due: 0 when one is, null when none is waiting. */
export async function nextDueSeconds(db: Db): Promise<number | null> {
  const {
    rows: [row],
  } = await sql<{ seconds: number | null }>`
    select extract(epoch from min(due_at) - statement_timestamp())::double precision as seconds
    from ${table(db, 'outbox')} where failed_at is null`.execute(db.kysely)
  const seconds = row?.seconds ?? null
  return seconds === null ? null : Math.max(seconds, 0)
}
