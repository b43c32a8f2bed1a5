// Runs or checks our migrations with Kysely's migrator, whose lock lets any number of processes start at once.
import { sql } from 'kysely'
import { migrations } from '../../migrations/index.js'
import { DatabaseUnavailable, DatabaseUnreachable, MigrationsPending } from '../errors.js'
import { type Connection, type Db, sqlState, table } from './database.js'
import { loadMigrator } from './migrator.js'

/**
 * Runs what is pending, under a lock. Nothing when all is done, also where a newer version of us has done more.
 *
 * @returns the names of those that ran here; another process may have run some
 */
export async function migrate(connection: Connection): Promise<readonly string[]> {
  if ((await pendingMigrations(connection)).length === 0) return []
  return connection.withoutTimeLimits(runPending)
}

/**
 * Refuses to go on while migrations are pending.
 *
 * @throws FST_IDENTITY_MIGRATIONS_PENDING, naming them
 */
export async function requireMigrated(db: Db): Promise<void> {
  const pending = await pendingMigrations(db)
  if (pending.length > 0) throw new MigrationsPending(db.schema, pending.join(', '), db.schema)
}

// SQLSTATE: class 28 is a refused name or password, 3D000 no such database, 42501 no permission. Where a client sent no password at all,
// or the server speaks no TLS, pg has words only.
const refusals = /^(28...|3D000|42501)$/
const noHandshake = /^(SASL|The server does not support SSL)/

/** Whether an error at the start says that the database which was named cannot be used as it was named. */
export function isUnusable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error instanceof DatabaseUnavailable || refusals.test(sqlState(error) ?? '') || noHandshake.test(error.message)
}

/** The reason in words that a person can act on; never the connection string. */
export function unreachable(error: unknown): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const { code, message } = cause as { code?: unknown, message?: unknown }
  const reason = new DatabaseUnreachable(typeof message === 'string' && message !== '' ? message : String(code))
  reason.cause = error
  return reason
}

/** The names of migrations that have not run, oldest first. */
export async function pendingMigrations(db: Db): Promise<string[]> {
  const executed = await executedMigrations(db)
  return Object.keys(migrations(db.schema)).filter((name) => !executed.includes(name))
}

async function executedMigrations(db: Db): Promise<string[]> {
  try {
    const { rows } = await sql<{ name: string }>`select name from ${table(db, 'migrations')}`.execute(db.kysely)
    return rows.map(({ name }) => name)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

const tries = 10

async function runPending(db: Db): Promise<readonly string[]> {
  const Migrator = await loadMigrator()
  const migrator = new Migrator({
    db: db.kysely,
    provider: { getMigrations: () => Promise.resolve(migrations(db.schema)) },
    migrationTableSchema: db.schema,
    migrationTableName: 'migrations',
    migrationLockTableName: 'migrations_lock',
  })
  for (let attempt = 1; ; attempt++) {
    const { error, results = [] } = await migrator.migrateToLatest()
    if (error === undefined) return results.map(({ migrationName }) => migrationName)
    // The migrator looks at every table of the database, and stumbles over one that somebody drops at that moment.
    if (!(isMissing(error) || sqlState(error) === undefinedColumn) || attempt === tries) throw error instanceof Error ? error : new Error('A migration failed', { cause: error })
  }
}

// Told when the dropping is seen halfway: the table is there, and its columns are not.
const undefinedColumn = '42703'

/** Whether an error says that there is no such schema, or no such table (SQLSTATE 3F000, 42P01). */
export function isMissing(error: unknown): boolean {
  return ['3F000', '42P01'].includes(sqlState(error) ?? '')
}
