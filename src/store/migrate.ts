// Runs or checks our migrations, under a lock that lets any number of processes start at once, also behind a pooler.
import { type Kysely, sql } from 'kysely'
import { hasSchema } from '../../migrations/existing-schema.js'
import { migrations } from '../../migrations/index.js'
import { DatabaseUnavailable, DatabaseUnreachable, MigrationsPending } from '../errors.js'
import type { Connection } from './connect.js'
import { type Db, table } from './db.js'
import { inTransaction, retrying } from './transaction.js'
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

/**
 * All in one transaction, which holds the row of `migrations_lock`. Kysely's migrator locks its connection, which a pooler
 * gives to other clients, and some databases with Postgres's protocol have no advisory locks. The isolation level is
 * explicit, since a process that has waited must see the migrations of the other one.
 */
async function runPending(db: Db): Promise<readonly string[]> {
  await makeLock(db)
  return retrying(() =>
    db.kysely
      .transaction()
      .setIsolationLevel('read committed')
      .execute(async (kysely) => {
        await waitForHost(kysely)
        await sql`select id from ${table(db, 'migrations_lock')} for update`.execute(kysely)
        // Not to_regclass: it believes what this connection has found missing before it waited.
        const { rows: known } =
          await sql`select 1 from pg_tables where schemaname = ${db.schema} and tablename = 'migrations'`.execute(
            kysely,
          )
        if (known.length === 0) {
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

// Two that create the same at the same time: one gets 23505 of a catalog, 42P06 or 42P07, and finds it there when it looks again.
const hasRaced = (error: unknown) => /^(23505|42P06|42P07)$/.test(sqlState(error) ?? '')
const mostRaces = 20

/** Makes the schema and the row that is locked, where they are missing. */
async function makeLock(db: Db): Promise<void> {
  for (let race = 0; ; race++) {
    try {
      await inTransaction(db, async ({ kysely }) => {
        // Also with "if not exists" it takes a right on the database, which a role whose schema was made for it lacks.
        if (!(await hasSchema(kysely, db.schema))) await sql`create schema ${sql.id(db.schema)}`.execute(kysely)
        const lock = table(db, 'migrations_lock')
        await sql`create table if not exists ${lock} (id integer primary key)`.execute(kysely)
        await sql`insert into ${lock} (id) values (1) on conflict do nothing`.execute(kysely)
      })
      return
    } catch (error) {
      if (!hasRaced(error) || race === mostRaces) throw error
    }
  }
}

// The number of Kysely's own lock, so that a host's migrator and ours wait for each other.
const kyselysLock = sql.lit(3853314791062309107n)

/** Waits for a host's migrator, where the database has advisory locks; where it has none, the row is enough for ours. */
async function waitForHost(kysely: Db['kysely']): Promise<void> {
  await sql`savepoint advisory_lock`.execute(kysely)
  try {
    await sql`select pg_advisory_xact_lock(${kyselysLock})`.execute(kysely)
    await sql`release savepoint advisory_lock`.execute(kysely)
  } catch (error) {
    if (!/^(42883|0A000)$/.test(sqlState(error) ?? '')) throw error
    await sql`rollback to savepoint advisory_lock`.execute(kysely)
  }
}

/** Whether an error says that there is no such schema, or no such table (SQLSTATE 3F000, 42P01). */
export function isMissing(error: unknown): boolean {
  return ['3F000', '42P01'].includes(sqlState(error) ?? '')
}
