// Where statements run: a pool or a transaction, which is retried when the database requires it.
import { type CompiledQuery, Kysely, PostgresDialect, type RawBuilder, sql, type Transaction } from 'kysely'
import type pg from 'pg'
import type { Clock } from '../clock.js'
import { DatabaseContention } from '../errors.js'
import type { Tables } from './schema.js'
import type { GuardedPool } from './pool.js'
import { mapDatabaseError, sqlState } from './sql-errors.js'

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

// The compiled texts of cached statements, see statement-cache.ts, and their names as prepared statements.
interface StatementText {
  readonly text: string
  /** By position: a constant value, or the parameter to replace. */
  readonly values: readonly unknown[]
}

/** The texts for one connection; they contain its schema. */
export class StatementTexts {
  readonly #written = new Map<unknown, StatementText>()
  readonly #names = new Map<string, string>()

  /** @param writer the function that writes the text; a label shared by two functions means two texts */
  of(writer: unknown, label: string, compile: () => CompiledQuery): StatementText {
    const known = this.#written.get(writer)
    if (known !== undefined) return known
    const { sql: written, parameters: values } = compile()
    const text = written.trim()
    this.#written.set(writer, { text, values })
    this.#names.set(text, `identity ${label} ${fingerprint(text)}`)
    return { text, values }
  }

  /** The prepared statement name of this text. */
  nameOf(text: string): string | undefined {
    return this.#names.get(text)
  }
}

/**
 * FNV-1a, 64 bits. Behind a pooler two releases or two realms may share a connection, on which a name must not mean
 * two statements. All texts are from this package, so a collision cannot be provoked.
 */
function fingerprint(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  return hash.toString(16).padStart(16, '0')
}
