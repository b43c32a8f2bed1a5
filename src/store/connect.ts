// Opens option `database` as a guarded pool. A host's own pool or Kysely instance is used as it is and never closed.
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import type { Clock } from '../clock.js'
import { complete } from '../option-schema.js'
import { type DatabaseOption, readDatabase } from './database-option.js'
import { type DatabaseTimeouts, guardPool, limitsOf, listenTo, noLimits } from './pool.js'
import { timeoutOptions } from './options.js'
import type { Tables } from './schema.js'
import type { Db } from './db.js'
import { createStatementTexts } from './statement-cache.js'
import { over } from './transaction.js'

export interface Connection extends Db {
  /** The pool behind it, where it is known. */
  readonly pool: pg.Pool | null
  /** Runs migrations, whose statements have no time limit; a host's Kysely instance keeps its own limits. */
  withoutTimeLimits<T>(work: (db: Db) => Promise<T>): Promise<T>
  /** May be called again, as when a registration fails and the host then closes its application. */
  close(): Promise<void>
}

/**
 * Opens option `database`.
 *
 * @throws FST_IDENTITY_DATABASE_MISSING when nothing names a database, FST_IDENTITY_INVALID_OPTION
 */
export function connect(
  option: DatabaseOption | undefined,
  schema: string,
  clock: Clock | undefined,
  environment: NodeJS.ProcessEnv,
  onError: (error: Error) => void,
  timeouts: DatabaseTimeouts = complete(timeoutOptions, {}),
): Connection {
  const now =
    clock === undefined
      ? // Not clock_timestamp(): it is volatile, which Citus refuses in UPDATE. Both are the database's clock; this one stands still while a
        // statement waits for a row, which is bounded by the limit of statements.
        () => sql<Date>`statement_timestamp()`
      : () => sql<Date>`to_timestamp(${clock() / 1000}::double precision)`
  const ours = { schema, now, clock, statements: createStatementTexts() }

  const source = readDatabase(option, environment)
  if (source.kind === 'kysely') {
    // Without the host's plugins: a CamelCasePlugin would rename our columns.
    const kysely = (source.kysely as Kysely<Tables>).withoutPlugins().withSchema(schema)
    return {
      ...ours,
      kysely,
      pool: null,
      withoutTimeLimits: (work) => work({ ...ours, kysely }),
      close: () => Promise.resolve(),
    }
  }
  const owned = source.kind === 'settings'
  // The settings are kept beside the pool: its own options hide the password from copies.
  const config = owned ? { ...limitsOf(timeouts), ...source.settings } : null
  const pool = owned ? new pg.Pool(config ?? {}) : source.pool
  const stopReports = listenTo(pool, onError)
  let closing: Promise<void> | undefined
  const kysely = over(guardPool(pool, { timeouts, isOurs: owned }), schema, ours.statements)
  return {
    ...ours,
    kysely,
    pool,
    async withoutTimeLimits(work) {
      if (!owned) return work({ ...ours, kysely: over(guardPool(pool, { timeouts, queryTimeout: 0 }), schema) })
      const patient = new pg.Pool({ ...config, ...noLimits, max: 2 })
      listenTo(patient, onError)
      try {
        return await work({ ...ours, kysely: over(guardPool(patient, { timeouts, isOurs: true }), schema) })
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
