// Runs or checks our migrations with Kysely's migrator, whose lock lets any number of processes start at once.
import { type MigrationResultSet, Migrator } from 'kysely'
import { migrations } from '../../migrations/index.js'
import { DatabaseUnreachable, MigrationsPending } from '../errors.js'
import type { Db } from './database.js'

function migrator(db: Db): Migrator {
  return new Migrator({
    db: db.kysely,
    provider: { getMigrations: () => Promise.resolve(migrations(db.schema)) },
    migrationTableSchema: db.schema,
    migrationTableName: 'migrations',
    migrationLockTableName: 'migrations_lock',
  })
}

/** Runs what is pending, under a lock; nothing when all is done. */
export async function migrate(db: Db): Promise<MigrationResultSet> {
  const results = await migrator(db).migrateToLatest()
  if (results.error instanceof Error) throw results.error
  if (results.error !== undefined) throw new Error('A migration failed', { cause: results.error })
  return results
}

/**
 * Refuses to go on while migrations are pending.
 *
 * @throws FST_IDENTITY_MIGRATIONS_PENDING, naming them
 */
export async function requireMigrated(db: Db): Promise<void> {
  const known = await migrator(db).getMigrations()
  const pending = known.filter(({ executedAt }) => executedAt === undefined).map(({ name }) => name)
  if (pending.length > 0) throw new MigrationsPending(db.schema, pending.join(', '))
}

/** The reason in words that a person can act on; never the connection string. */
export function unreachable(error: unknown): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const { code, message } = cause as { code?: unknown, message?: unknown }
  const reason = new DatabaseUnreachable(typeof message === 'string' && message !== '' ? message : String(code))
  reason.cause = error
  return reason
}
