// Opens option `database` as a guarded pool. A host's own pool or Kysely instance is used as it is and never closed.
import { Kysely, sql } from 'kysely'
import pg from 'pg'
import type { Clock } from '../clock.js'
import { DatabaseMissing, InvalidOption } from '../errors.js'
import { over } from './dialect.js'
import { guardPool, limits, listenTo, noLimits } from './pool.js'
import type { Tables } from './schema.js'
import { Texts } from './statement-texts.js'
import type { Db } from './transaction.js'

/** What option `database` takes: a connection string, a pool, a pool's settings, or a Kysely instance. */
// A host's Kysely instance is typed by the host's own tables, which have nothing to do with ours.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type DatabaseOption = string | pg.Pool | pg.PoolConfig | Kysely<any>

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
  option: DatabaseOption | undefined,
  schema: string,
  clock: Clock | undefined,
  environment: NodeJS.ProcessEnv,
  onError: (error: Error) => void,
): Connection {
  const now =
    clock === undefined
      ? () => sql<Date>`clock_timestamp()`
      : () => sql<Date>`to_timestamp(${clock() / 1000}::double precision)`
  const ours = { schema, now, clock, texts: new Texts() }

  if (option instanceof Kysely) {
    // Without the host's plugins: a CamelCasePlugin would rename our columns.
    const kysely = (option as Kysely<Tables>).withoutPlugins().withSchema(schema)
    return {
      ...ours,
      kysely,
      pool: null,
      withoutTimeLimits: (work) => work({ ...ours, kysely }),
      close: () => Promise.resolve(),
    }
  }
  const { pool, config } = isPool(option)
    ? { pool: option, config: null }
    : openPool({ ...limits, ...poolConfig(option, environment) })
  const owned = config !== null
  const stopReports = listenTo(pool, onError)
  let closing: Promise<void> | undefined
  const kysely = over(guardPool(pool, { isOurs: owned }), schema, ours.texts)
  return {
    ...ours,
    kysely,
    pool,
    async withoutTimeLimits(work) {
      if (!owned) return work({ ...ours, kysely: over(guardPool(pool, { queryTimeout: 0 }), schema) })
      const patient = new pg.Pool({ ...config, ...noLimits, max: 2 })
      listenTo(patient, onError)
      try {
        return await work({ ...ours, kysely: over(guardPool(patient, { isOurs: true }), schema) })
      } finally {
        await patient.end()
      }
    },
    async close() {
      if (owned) await (closing ??= pool.end())
      else stopReports()
    },
  }
}

function isPool(option: string | pg.Pool | pg.PoolConfig | undefined): option is pg.Pool {
  return typeof option === 'object' && 'connect' in option && typeof option.connect === 'function'
}

// The settings stay beside the pool: in its own options the password is hidden from whoever copies them.
function openPool(config: pg.PoolConfig): { pool: pg.Pool; config: pg.PoolConfig } {
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
    throw new InvalidOption(
      'database',
      'is not a connection string',
      'Write it as postgres://user:password@host:5432/database',
    )
  }
  return { connectionString: named }
}
