// The type of a migration.
import type { Kysely } from 'kysely'

/** Kysely's type Migration: not imported, because 0.29 has moved the name. */
export interface IdentityMigration {
  up(db: Kysely<unknown>): Promise<void>
  down(db: Kysely<unknown>): Promise<void>
}
