// Runs or checks our migrations, under a lock that lets any number of processes start at once, also behind a pooler.
import { type Kysely, sql } from 'kysely'
import { hasSchema } from '../../migrations/existing-schema.js'
import { migrations } from '../../migrations/index.js'
import { DatabaseUnavailable, DatabaseUnreachable, MigrationsPending } from '../errors.js'
import type { Connection } from './connect.js'
import { type Db, retrying, table } from './transaction.js'
import { mapDatabaseError, sqlState } from './sql-errors.js'
import { explainRefusal } from './usable.js'

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

// Where a client sent no password at all, or the server speaks no TLS, pg has words only.
const noHandshake = /^(SASL|The server does not support SSL)/

/**
 * What stopped a start, in words that a person can act on: an error of the database becomes FST_IDENTITY_DATABASE_RIGHTS or
 * FST_IDENTITY_DATABASE_UNREACHABLE, any other one stays what it is.
 */
export async function explainStart(db: Db, error: unknown): Promise<unknown> {
  if (!isUnusable(error)) return error
  const remedy = isMissing(error)
    ? `Run: npx fastify-identity migrate --schema ${db.schema}`
    : 'Start it, or correct the connection string'
  const refusal = sqlState(error) === '42501' ? await explainRefusal(db).catch(() => null) : null
  return refusal ?? unreachable(error, remedy)
}

/** Whether an error at the start says that the database which was named cannot be used as it was named. */
function isUnusable(error: unknown): boolean {
  return (
    mapDatabaseError(error) instanceof DatabaseUnavailable ||
    (error instanceof Error && noHandshake.test(error.message))
  )
}

/** The reason in words that a person can act on; never the connection string. */
function unreachable(error: unknown, remedy: string): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const { code, message } = cause as { code?: unknown; message?: unknown }
  const reason = new DatabaseUnreachable(typeof message === 'string' && message !== '' ? message : String(code), remedy)
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

// The number of Kysely's own lock, so that a host's migrator and ours wait for each other.
const lock = sql.lit(3853314791062309107n)

/**
 * All in one transaction, lock included: Kysely's migrator locks its connection, which a pooler gives to other
 * clients. The isolation level is explicit, since a process that has waited must see the migrations of the other one.
 */
function runPending(db: Db): Promise<readonly string[]> {
  return retrying(() =>
    db.kysely
      .transaction()
      .setIsolationLevel('read committed')
      .execute(async (kysely) => {
        await sql`select pg_advisory_xact_lock(${lock})`.execute(kysely)
        // Not to_regclass: it believes what this connection has found missing before it waited.
        const { rows: known } =
          await sql`select 1 from pg_tables where schemaname = ${db.schema} and tablename = 'migrations'`.execute(
            kysely,
          )
        if (known.length === 0) {
          // Also with "if not exists" it takes a right on the database, which a role whose schema was made for it lacks.
          if (!(await hasSchema(kysely, db.schema))) await sql`create schema ${sql.id(db.schema)}`.execute(kysely)
          await sql`create table ${table(db, 'migrations')} (name varchar(255) primary key, timestamp varchar(255) not null)`.execute(
            kysely,
          )
        }
        const pending = await pendingMigrations({ ...db, kysely })
        for (const [name, migration] of Object.entries(migrations(db.schema))) {
          if (!pending.includes(name)) continue
          await migration.up(kysely as unknown as Kysely<unknown>) // a migration knows no tables
          await sql`insert into ${table(db, 'migrations')} (name, timestamp) values (${name}, ${new Date().toISOString()})`.execute(
            kysely,
          )
        }
        return pending
      }),
  )
}

/** Whether an error says that there is no such schema, or no such table (SQLSTATE 3F000, 42P01). */
export function isMissing(error: unknown): boolean {
  return ['3F000', '42P01'].includes(sqlState(error) ?? '')
}
