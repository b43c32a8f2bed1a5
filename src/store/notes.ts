// What an instance asks for twice a second: the sessions that have ended, whose claims have changed, and whether sessions are over.
import { sql } from 'kysely'
import type { ClaimChange } from './claim-changes.js'
import type { SessionEndCause } from './session-ends.js'
import { sqlState } from './sql-errors.js'
import { type Db, table } from './db.js'

export interface EndNote {
  readonly id: string
  readonly cause: SessionEndCause
}

/** A part of an answer. */
export interface Notes {
  readonly ends: readonly EndNote[]
  readonly changes: readonly ClaimChange[]
  /** Whether there are sessions whose end nobody has noted yet: they are over. */
  readonly isDue: boolean
}

const pageOfNotes = 20_000

/**
 * What was noted within the last `seconds`, page by page: after an hour of many logouts the first question of an instance brings more than one
 * statement may take the time for.
 */
export async function findNotes(
  db: Db,
  seconds: number,
  found: (notes: Notes) => void,
  pageSize = pageOfNotes,
): Promise<void> {
  const since = sql`${db.now()} - make_interval(secs => ${seconds})`
  const more = sql`
    (select json_agg(json_build_object('subject', subject, 'mark', mark, 'at', extract(epoch from changed_at)::double precision))
      from ${table(db, 'claim_changes')} where changed_at > ${since}) as changes,
    exists (select 1 from ${table(db, 'sessions')} where expires_at <= ${db.now()}) as "isDue"`
  let after = sql`revoked_at > ${since}`
  for (let isFirst = true; ; isFirst = false) {
    // One text for all is read in half the time that a row for each takes.
    const {
      rows: [page],
    } = await sql<{ ids: string | null; last: string; changes?: ClaimChange[] | null; isDue?: boolean }>`
      select string_agg(session_id || ' ' || coalesce(cause, 'revoked'), ',' order by revoked_at, session_id) as ids,
        max(revoked_at)::text as last${isFirst ? sql`, ${more}` : sql``}
      from (select session_id, revoked_at, cause from ${table(db, 'revocations')}
        where ${after} order by revoked_at, session_id limit ${pageSize}) page`.execute(db.kysely)
    const ends = page?.ids?.split(',').map(toEnd) ?? []
    found({ ends, changes: page?.changes ?? [], isDue: page?.isDue === true })
    if (page === undefined || ends.length < pageSize) return
    after = sql`(revoked_at, session_id) > (${page.last}::timestamptz, ${ends.at(-1)?.id}::uuid)`
  }
}

function toEnd(text: string): EndNote {
  return { id: text.slice(0, 36), cause: text.slice(37) as SessionEndCause } // written by session-ends.ts
}

/**
 * The age in seconds of the oldest open transaction in this database that has written: its notes may still come, with the time of their
 * writing. 0 when there is none, and where the server does not show it, as for other roles' transactions.
 */
export async function oldestWriterSeconds(db: Db): Promise<number> {
  try {
    const {
      rows: [row],
    } = await sql<{ seconds: number | string | null }>`
      select extract(epoch from clock_timestamp() - min(xact_start))::double precision as seconds from pg_stat_activity
      where backend_xid is not null and datname = current_database()`.execute(db.kysely)
    return Number(row?.seconds ?? 0)
  } catch (error) {
    // Databases that only speak Postgres's protocol may lack the view or a column of it.
    if (/^(42P01|42703|42883|42501|0A000)$/.test(sqlState(error) ?? '')) return 0
    throw error
  }
}
