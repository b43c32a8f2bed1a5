// The way to Postgres: a guarded pool, transactions that are tried again, and the one place where a database's errors become ours.
// A host's own pool or Kysely instance is used as it is and never closed.
import { Kysely, PostgresDialect, type RawBuilder, sql, type Transaction } from 'kysely'
import pg from 'pg'
import type { Clock } from '../clock.js'
import { DatabaseContention, DatabaseMissing, DatabaseUnavailable, InvalidOption } from '../errors.js'
import { guardPool, type GuardedPool, limits, noLimits } from './pool.js'
import type { Tables } from './schema.js'
import { Texts } from './texts.js'

export type { Transaction }

/** What option `database` takes: a connection string, a pool, a pool's settings, or a Kysely instance. */
// A host's Kysely instance is typed by the host's own tables, which have nothing to do with ours.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type DatabaseOption = string | pg.Pool | pg.PoolConfig | Kysely<any>

/** Where statements run: the pool or one transaction, with the names and the clock that every statement needs. */
export interface Db {
  readonly kysely: Kysely<Tables>
  readonly schema: string
  /** The current time as SQL: the database's own clock, or the host's where option `clock` is set. */
  readonly now: () => RawBuilder<Date>
  /** Option `clock`. */
  readonly clock: Clock | undefined
  /** Statements written so far, see prepared.ts. */
  readonly texts: Texts
}

/** A Db inside a transaction; a function that asks for one must not be called without. */
export interface Trx extends Db {
  readonly kysely: Transaction<Tables>
}

export interface Connection extends Db {
  /** The pool behind it, where we know it: for the listener of revocations. */
  readonly pool: pg.Pool | null
  /** Runs migrations, whose statements take as long as they take; a Kysely instance of the host's keeps the limits it has. */
  withoutTimeLimits<T>(work: (db: Db) => Promise<T>): Promise<T>
  /** Once or again, as when a registration fails and the host then closes its application. */
  close(): Promise<void>
}

/**
 * Opens option `database`.
 *
 * @throws FST_IDENTITY_DATABASE_MISSING when it is unset and neither DATABASE_URL nor libpq's PG* variables name a database
 */
export function connect(
  option: DatabaseOption | undefined, schema: string, clock: Clock | undefined, environment: NodeJS.ProcessEnv,
  onError: (error: Error) => void,
): Connection {
  const now = clock === undefined
    ? () => sql<Date>`clock_timestamp()`
    : () => sql<Date>`to_timestamp(${clock() / 1000}::double precision)`
  const ours = { schema, now, clock, texts: new Texts() }

  if (option instanceof Kysely) {
    // Without the host's plugins: a CamelCasePlugin would rename our columns.
    const kysely = (option as Kysely<Tables>).withoutPlugins().withSchema(schema)
    return { ...ours, kysely, pool: null, withoutTimeLimits: (work) => work({ ...ours, kysely }), close: () => Promise.resolve() }
  }
  const { pool, config } = isPool(option) ? { pool: option, config: null } : openPool({ ...limits, ...poolConfig(option, environment) })
  const owned = config !== null
  // What a pool does with connections that die idle; a host's own listener is enough.
  const listens = owned || pool.listenerCount('error') === 0
  if (listens) pool.on('error', onError)
  let closing: Promise<void> | undefined
  const kysely = over(guardPool(pool, onError, { isOurs: owned }), schema, ours.texts)
  return {
    ...ours,
    kysely,
    pool,
    async withoutTimeLimits(work) {
      if (!owned) return work({ ...ours, kysely: over(guardPool(pool, onError, { queryTimeout: 0 }), schema) })
      const patient = new pg.Pool({ ...config, ...noLimits, max: 2 })
      patient.on('error', onError)
      try {
        return await work({ ...ours, kysely: over(guardPool(patient, onError, { isOurs: true }), schema) })
      } finally {
        await patient.end()
      }
    },
    async close() {
      if (owned) await (closing ??= pool.end())
      else if (listens) pool.off('error', onError)
    },
  }
}

function isPool(option: string | pg.Pool | pg.PoolConfig | undefined): option is pg.Pool {
  return typeof option === 'object' && 'connect' in option && typeof option.connect === 'function'
}

// The settings stay beside the pool: in its own options the password is hidden from whoever copies them.
function openPool(config: pg.PoolConfig): { pool: pg.Pool, config: pg.PoolConfig } {
  return { pool: new pg.Pool(config), config }
}

function poolConfig(option: string | pg.PoolConfig | undefined, environment: NodeJS.ProcessEnv): pg.PoolConfig {
  const named = option ?? environment.DATABASE_URL
  if (named === undefined || named === '') {
    if (environment.PGHOST === undefined && environment.PGDATABASE === undefined) throw new DatabaseMissing()
    return {}
  }
  if (typeof named !== 'string') return named
  try {
    new URL(named)
  } catch {
    throw new InvalidOption('database', 'is not a connection string', 'Write it as postgres://user:password@host:5432/database')
  }
  return { connectionString: named }
}

function over(pool: GuardedPool, schema: string, texts?: Texts): Kysely<Tables> {
  // Until a pooler between us and Postgres turns out to mix up what connections have prepared.
  let isPreparing = true
  // Kysely's dialect asks its pool for connect() and end() only, and a connection for query() and release().
  const asked = {
    async connect() {
      const connection = await pool.connect().catch((error: unknown) => { throw mapDatabaseError(error) })
      let isInTransaction = false
      return {
        query(text: string, values: unknown[]) {
          const send = (name?: string) => connection.query(text, values, name).catch((error: unknown) => { throw mapDatabaseError(error) })
          const once = () => {
            // An error inside a transaction would be the end of it.
            const name = isPreparing && !isInTransaction ? texts?.nameOf(text) : undefined
            return name === undefined ? send() : send(name).catch((error: unknown) => {
              if (!isUnprepared(error)) throw error
              isPreparing = false
              return send()
            })
          }
          const isControl = /^(begin|start transaction|savepoint|release|rollback|commit)/.test(text)
          if (isControl) isInTransaction = !/^(rollback|commit)$/.test(text)
          // Of a transaction only the whole may be tried again.
          return isControl || isInTransaction ? once() : retrying(once)
        },
        release: () => connection.release(),
      }
    },
    end: () => Promise.resolve(),
  } as unknown as pg.Pool
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: asked }) }).withSchema(schema)
}

/**
 * Nothing has run: the connection lacks what it should have prepared (26000) or has it already (42P05), because a pooler hands out another
 * with each transaction; or a migration beside us has changed a column (0A000).
 */
function isUnprepared(error: unknown): boolean {
  const state = sqlState(error)
  return state === '26000' || state === '42P05' || state === '0A000'
}

/** The table's full name, for statements that are written out. */
export function table(db: Db, name: keyof Tables | 'migrations'): RawBuilder<unknown> {
  return sql.table(`${db.schema}.${name}`)
}

function placeOf({ schema, now, clock, texts }: Db): Omit<Db, 'kysely'> {
  return { schema, now, clock, texts }
}

/** The same place to run statements, inside a host's own transaction. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the host's tables are the host's
export function within(db: Db, trx: Transaction<any>): Trx {
  return { ...placeOf(db), kysely: (trx as Transaction<Tables>).withoutPlugins().withSchema(db.schema) }
}

const tries = 3

/**
 * Runs `work` in one transaction, again (3 times at most, with jitter) when the database asks for it (SQLSTATE 40001, 40P01).
 * Inside an open transaction `work` joins it, behind a savepoint: what throws leaves nothing of itself there either.
 */
export async function inTransaction<T>(db: Db, work: (trx: Trx) => Promise<T>): Promise<T> {
  if (db.kysely.isTransaction) return behindSavepoint(db as Trx, work)
  return retrying(() => db.kysely.transaction().execute((kysely) => work({ ...placeOf(db), kysely })))
}

async function behindSavepoint<T>(trx: Trx, work: (trx: Trx) => Promise<T>): Promise<T> {
  await sql`savepoint fastify_identity`.execute(trx.kysely)
  try {
    const result = await work(trx)
    await sql`release savepoint fastify_identity`.execute(trx.kysely)
    return result
  } catch (error) {
    // A connection that is gone has rolled back by itself; what happened first is what is told.
    await sql`rollback to savepoint fastify_identity`.execute(trx.kysely).catch(() => undefined)
    throw error
  }
}

/** Runs work again when the database undid it and asks for that (SQLSTATE 40001, 40P01). */
export async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const mappedError = mapDatabaseError(error)
      if (!(mappedError instanceof DatabaseContention) || attempt === tries) throw mappedError
      await new Promise((resolve) => setTimeout(resolve, 5 * attempt + jitter(attempt)))
    }
  }
}

// The clock's own low digits are spread well enough to part two instances.
function jitter(attempt: number): number {
  return (performance.now() * 1000) % (10 * attempt)
}

// SQLSTATE classes: 08 connection, 53 resources, 57P shutdown; 57014 a cancelled or timed-out statement; 25006 a read-only standby;
// 55P03 lock not available. The rest are node's and pg's own words for a connection that is not there.
const unavailable = /^(08...|53...|57P..|57014|25006|55P03|25P03)$/
const unreachable = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT', 'ECONNABORTED',
])
const lost = /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after)/

/** Turns a driver's error into ours where it means that the database is not there; any other error stays what it is. */
export function mapDatabaseError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code } = error as Error & { code?: unknown }
  if (code === '40001' || code === '40P01') return withCause(new DatabaseContention(), error)
  const gone = typeof code === 'string' ? unavailable.test(code) || unreachable.has(code) : lost.test(error.message)
  return gone ? withCause(new DatabaseUnavailable(), error) : error
}

function withCause(ours: Error, cause: Error): Error {
  ours.cause = cause
  return ours
}

/** The SQLSTATE of a database's error, or a driver's own code; null for any other error. */
export function sqlState(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

/** The constraint that a unique violation (23505) names, or null for any other error. */
export function violatedConstraint(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const { code, constraint } = error as Error & { code?: unknown, constraint?: unknown }
  return code === '23505' && typeof constraint === 'string' ? constraint : null
}
