// The type of a migration.
import type { Kysely } from 'kysely'

/** Kysely's type Migration: not imported, because 0.29 has moved the name. */
export interface IdentityMigration {
  /** Makes the change. */
  up(db: Kysely<unknown>): Promise<void>
  /** Takes the change back. */
  down(db: Kysely<unknown>): Promise<void>
}
