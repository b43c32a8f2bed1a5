// For a role that may not create schemas: Postgres asks for that right even where "create schema if not exists" would do nothing.
import { type Kysely, sql } from 'kysely'
import type { IdentityMigration } from './migration.js'

/** Whether there is a schema of this name, also for a role that may not use it. */
export async function hasSchema(db: Pick<Kysely<unknown>, 'getExecutor'>, schema: string): Promise<boolean> {
  const { rows } = await sql`select 1 from pg_namespace where nspname = ${schema}`.execute(db)
  return rows.length > 0
}

/** The same migration, which leaves a schema alone that is there already. For one that uses `db.schema` only. */
export function inExistingSchema(migration: IdentityMigration, schema: string): IdentityMigration {
  return {
    ...migration,
    up: async (db) => migration.up((await hasSchema(db, schema)) ? withoutCreateSchema(db) : db),
  }
}

// A plugin of Kysely must return a statement of the same kind, and a migration that was released is not changed.
function withoutCreateSchema({ schema }: Kysely<unknown>): Kysely<unknown> {
  const nothing = { ifNotExists: () => nothing, execute: () => Promise.resolve() }
  // The part of a Kysely instance that such a migration uses.
  return {
    schema: { withSchema: (name: string) => schema.withSchema(name), createSchema: () => nothing },
  } as unknown as Kysely<unknown>
}
