// Notes of whose claims have changed. One row for each user or role, whose mark is new with each change; never a row for each member of a role.
import { type RawBuilder, sql } from 'kysely'
import { type Db, table } from './db.js'

/** Whose claims have changed: `u:` and the id of a user, or `r:` and the name of a role as tickets carry it. */
export type ClaimSubject = `u:${string}` | `r:${string}`

/** A change as it is noted. */
export interface ClaimChange {
  readonly subject: string
  /** Another one with each change of this subject. */
  readonly mark: string
  /** Seconds since the epoch, by the database's clock, from before the commit. */
  readonly at: number
}

/** A statement that writes a note for what `subjects` selects, as one text column, and answers `ClaimChange` rows: a part of the change. */
export function noteClaims(db: Db, subjects: RawBuilder<unknown>): RawBuilder<unknown> {
  // The mark comes with the statement: engines that replicate statements refuse volatile functions in them.
  return sql`
    insert into ${table(db, 'claim_changes')} as noted (subject, mark, changed_at)
    select given.subject, md5(given.subject || ${crypto.randomUUID()})::uuid, ${db.now()}
    from (${subjects}) as given (subject)
    on conflict (subject) do update set mark = excluded.mark, changed_at = greatest(noted.changed_at, excluded.changed_at)
    returning subject, mark, extract(epoch from changed_at)::double precision as at`
}

/** Writes a note that belongs to no other change. */
export async function noteClaimChange(db: Db, subject: ClaimSubject): Promise<ClaimChange[]> {
  const { rows } = await sql<ClaimChange>`${noteClaims(db, sql`select ${subject}::text`)}`.execute(db.kysely)
  return rows
}
