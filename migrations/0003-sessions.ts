// What a session has of its own: the stamp it lives under, its claims, how and from where it was opened; why sessions ended; and notes of
// whose claims have changed, by which every instance reads them again.
import { type Kysely, sql } from 'kysely'

export function createSessionColumns(schema: string) {
  const sessions = sql.id(schema, 'sessions')
  const revocations = sql.id(schema, 'revocations')
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      // Without a value, as in sessions of before: the mark in the session's tickets decides.
      await sql`alter table ${sessions} add column security_stamp text, add column method text, add column address text,
        add column claims jsonb not null default '[]'`.execute(db)
      await sql`alter table ${revocations} add column cause text`.execute(db)

      const create = db.schema.withSchema(schema)
      await create
        .createTable('claim_changes')
        // 'u:' and the id of a user, or 'r:' and the name of a role as tickets carry it.
        .addColumn('subject', 'text', (column) => column.primaryKey())
        .addColumn('mark', 'uuid', (column) => column.notNull())
        .addColumn('changed_at', 'timestamptz', (column) => column.notNull())
        .execute()
      await create.createIndex('claim_changes_changed_at').on('claim_changes').column('changed_at').execute()
    },

    async down(db: Kysely<unknown>): Promise<void> {
      await db.schema.withSchema(schema).dropTable('claim_changes').execute()
      await sql`alter table ${revocations} drop column cause`.execute(db)
      await sql`alter table ${sessions} drop column security_stamp, drop column method, drop column address, drop column claims`.execute(
        db,
      )
    },
  }
}
