// Where statements run: a pool or a transaction, which is retried when the database requires it.
import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely'
import type { Clock } from '../clock.js'
import { DatabaseContention } from '../errors.js'
import type { Tables } from './schema.js'
import type { StatementTexts } from './statement-texts.js'
import { mapDatabaseError } from './sql-errors.js'

/** Where statements run: the pool or one transaction, with the names and the clock that every statement needs. */
export interface Db {
  readonly kysely: Kysely<Tables>
  readonly schema: string
  /** The current time as SQL: the database's own clock, or the host's where option `clock` is set. */
  readonly now: () => RawBuilder<Date>
  /** Option `clock`. */
  readonly clock: Clock | undefined
  /** The statement cache, see statement-cache.ts. */
  readonly statements: StatementTexts
}

/** A Db inside a transaction, for functions that need one. */
export interface Trx extends Db {
  readonly kysely: Transaction<Tables>
}

export type { Transaction }

/** The table's full name, for hand-written statements. */
export function table(db: Db, name: keyof Tables | 'migrations' | 'migrations_lock'): RawBuilder<unknown> {
  return sql.table(`${db.schema}.${name}`)
}

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
