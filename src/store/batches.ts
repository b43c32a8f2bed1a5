// Deleting what is over, so many rows at a time that no backlog is more than one statement may do. Knows no rule of what is over.
import { type RawBuilder, sql } from 'kysely'
import { type Db, table } from './db.js'

const keyOf = { revocations: 'session_id', claim_changes: 'subject', attempts: 'key' } as const

/** Passes over rows that are in use or that another instance deletes at the moment: the next time finds them. */
export async function deleteInBatches(
  db: Db,
  name: keyof typeof keyOf,
  condition: RawBuilder<unknown>,
  batchSize = 5_000,
): Promise<void> {
  const key = sql.ref(keyOf[name])
  for (;;) {
    // The array is made once; what stands behind IN may be asked several times, and pass its limit.
    const { numAffectedRows = 0n } = await sql`delete from ${table(db, name)} where ${key} = any(array(
      select ${key} from ${table(db, name)} where ${condition} limit ${batchSize} for update skip locked))`.execute(
      db.kysely,
    )
    if (numAffectedRows < batchSize) return
  }
}
