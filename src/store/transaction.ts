// Transactions and their retries, and the connections of a pool as Kysely takes them.
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import type pg from 'pg'
import { DatabaseContention } from '../errors.js'
import type { Db, StatementTexts, Trx } from './db.js'
import type { Tables } from './schema.js'
import type { GuardedPool } from './pool.js'
import { mapDatabaseError, sqlState } from './sql-errors.js'

export type { Transaction }

function placeOf({ schema, now, clock, statements }: Db): Omit<Db, 'kysely'> {
  return { schema, now, clock, statements }
}

/** The same Db inside a host's own transaction. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the host's tables are the host's
export function within(db: Db, trx: Transaction<any>): Trx {
  return { ...placeOf(db), kysely: (trx as Transaction<Tables>).withoutPlugins().withSchema(db.schema) }
}

const tries = 3

/**
 * Runs `work` in one transaction and retries it (3 times at most, with jitter) when the database requires it
 * (SQLSTATE 40001, 40P01). Inside an open transaction `work` runs behind a savepoint: an error undoes only its own
 * changes.
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
    // A lost connection has rolled back by itself; the first error is reported.
    await sql`rollback to savepoint fastify_identity`.execute(trx.kysely).catch(() => undefined)
    throw error
  }
}

/** Retries work that the database undid for contention (SQLSTATE 40001, 40P01). */
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

// The low digits of the clock differ enough between two instances.
function jitter(attempt: number): number {
  return (performance.now() * 1000) % (10 * attempt)
}

export function over(pool: GuardedPool, schema: string, statements?: StatementTexts): Kysely<Tables> {
  // Until a pooler between us and Postgres turns out to mix up the prepared statements of connections.
  let isPreparing = true
  // Kysely's dialect asks its pool for connect() and end() only, and a connection for query() and release().
  const asked = {
    async connect() {
      const connection = await pool.connect().catch((error: unknown) => {
        throw mapDatabaseError(error)
      })
      let isInTransaction = false
      return {
        query(text: string, values: unknown[]) {
          const send = (name?: string) =>
            connection.query(text, values, name).catch((error: unknown) => {
              throw mapDatabaseError(error)
            })
          const once = () => {
            // An error would end the transaction.
            const name = isPreparing && !isInTransaction ? statements?.nameOf(text) : undefined
            return name === undefined
              ? send()
              : send(name).catch((error: unknown) => {
                  if (!isUnprepared(error)) throw error
                  isPreparing = false
                  return send()
                })
          }
          const isControl = /^(begin|start transaction|savepoint|release|rollback|commit)/.test(text)
          if (isControl) isInTransaction = !/^(rollback|commit)$/.test(text)
          // Only a whole transaction can be retried.
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
