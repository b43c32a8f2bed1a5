// Mails that wait to be sent. A row is written in the transaction of the change that causes it; whoever claims it holds it by pushing
// its due time ahead, so that a worker that died loses it to another one. Always by the database's own clock: it is no expiry.
import { sql } from 'kysely'
import { type Db, table } from './transaction.js'

/** A mail as it lies in the database: what it says is sealed. */
export interface OutboxRecord {
  readonly id: string
  readonly userId: string | null
  readonly kind: string
  readonly sealed: string
}

export interface ClaimedMail extends OutboxRecord {
  /** This attempt counted. */
  readonly attempts: number
  readonly ageSeconds: number
}

export async function insertMail(db: Db, mail: OutboxRecord): Promise<void> {
  await sql`insert into ${table(db, 'outbox')} (id, user_id, kind, sealed, created_at, due_at)
    values (${mail.id}, ${mail.userId}::uuid, ${mail.kind}, ${mail.sealed}, clock_timestamp(), clock_timestamp())`.execute(
    db.kysely,
  )
}

/** Takes mails that are due, for `leaseSeconds`; no two workers get the same one. */
export async function claimMails(db: Db, limit: number, leaseSeconds: number): Promise<ClaimedMail[]> {
  const { rows } = await sql<ClaimedMail>`
    update ${table(db, 'outbox')} set attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => ${leaseSeconds})
    where id in (
      select id from ${table(db, 'outbox')} where failed_at is null and due_at <= clock_timestamp()
      order by due_at limit ${limit} for update skip locked)
    returning id, user_id as "userId", kind, sealed, attempts,
      extract(epoch from clock_timestamp() - created_at)::double precision as "ageSeconds"`.execute(db.kysely)
  return rows
}

/** Puts a mail back for another attempt. */
export async function postponeMail(db: Db, id: string, seconds: number): Promise<void> {
  await sql`update ${table(db, 'outbox')} set due_at = clock_timestamp() + make_interval(secs => ${seconds}) where id = ${id}`.execute(
    db.kysely,
  )
}

/** A mail that was sent leaves nothing behind. */
export async function deleteMail(db: Db, id: string): Promise<void> {
  await db.kysely.deleteFrom('outbox').where('id', '=', id).execute()
}

/** A mail that cannot be sent stays for an administrator to see, but is not tried again. */
export async function failMail(db: Db, id: string): Promise<void> {
  await sql`update ${table(db, 'outbox')} set failed_at = clock_timestamp() where id = ${id}`.execute(db.kysely)
}

/** Seconds until the next mail is due: 0 when one is, null when none waits. */
export async function nextDueSeconds(db: Db): Promise<number | null> {
  const {
    rows: [row],
  } = await sql<{ seconds: number | null }>`
    select extract(epoch from min(due_at) - clock_timestamp())::double precision as seconds
    from ${table(db, 'outbox')} where failed_at is null`.execute(db.kysely)
  const seconds = row?.seconds ?? null
  return seconds === null ? null : Math.max(seconds, 0)
}
