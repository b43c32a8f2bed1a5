// What every function of the store takes first: the place where its statements run.
import { type CompiledQuery, type Kysely, type RawBuilder, sql, type Transaction } from 'kysely'
import type { Clock } from '../clock.js'
import type { Tables } from './schema.js'

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

/** The compiled texts of cached statements for one connection; they contain its schema. */
export interface StatementTexts {
  /** @param writer the function that writes the text; a label shared by two functions means two texts */
  of(writer: unknown, label: string, compile: () => CompiledQuery): StatementText
  /** The prepared statement name of this text. */
  nameOf(text: string): string | undefined
}

export interface StatementText {
  readonly text: string
  /** By position: a constant value, or the parameter to replace. */
  readonly values: readonly unknown[]
}

/** The table's full name, for hand-written statements. */
export function table(db: Db, name: keyof Tables | 'migrations' | 'migrations_lock'): RawBuilder<unknown> {
  return sql.table(`${db.schema}.${name}`)
}
