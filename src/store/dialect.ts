// Kysely's Postgres dialect over a guarded pool: gives names to the statements of hot paths, retries after
// contention, and maps errors to ours.
import { Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import type { GuardedPool } from './pool.js'
import type { Tables } from './schema.js'
import { mapDatabaseError, sqlState } from './sql-errors.js'
import type { StatementTexts } from './statement-texts.js'
import { retrying } from './transaction.js'

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
