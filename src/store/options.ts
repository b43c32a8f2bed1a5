// The options of the database.
import { Type } from '@sinclair/typebox'
import { closed, defaulted, foreign } from '../option-schema.js'
import type { DatabaseOption } from './database-option.js'

/** 100 ms to an hour. */
const timeout = () => Type.Number({ minimum: 0.1, maximum: 3600 })

export const timeoutOptions = Type.Object(
  {
    /**
     * Seconds until a connection is there: made, or free again where all are in use. Then the request is answered with 503.
     * @default `10`
     */
    connectSeconds: defaulted(timeout(), 10),
    /**
     * Seconds until the server ends a statement (`statement_timeout`). Half a second later the answer is no longer awaited either, and the
     * connection is closed. Then the request is answered with 503.
     * @default `3`
     */
    statementSeconds: defaulted(timeout(), 3),
    /**
     * Seconds until the server ends a transaction that its process has left open (`idle_in_transaction_session_timeout`).
     * @default `10`
     */
    idleTransactionSeconds: defaulted(timeout(), 10),
  },
  closed,
)

export const storeOptions = Type.Object(
  {
    /**
     * The Postgres database: a connection string, `pg.Pool`, `pg.PoolConfig` or `Kysely` instance. A pool or instance that you pass is
     * never closed.
     * @default environment variable `DATABASE_URL`, or libpq's `PG*`
     */
    database: Type.Optional(foreign<DatabaseOption>()),
    /**
     * How long a request waits for the database. Members of a `pg.PoolConfig` that you pass take precedence. A `pg.Pool` that you pass keeps
     * the limits that it has, and gets `connectSeconds` and the wait for an answer where it has none. Not for a `Kysely` instance.
     */
    databaseTimeouts: Type.Optional(timeoutOptions),
    /**
     * Postgres schema of the tables. A second realm needs another one.
     * @default `'identity'`
     */
    schema: defaulted(Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$' }), 'identity'),
    /**
     * What happens to pending migrations at start: `'auto'` runs them under a lock, `'check'` refuses to start while there are any,
     * `'off'` does not look.
     * @default `'auto'`
     */
    migrate: defaulted(Type.Union([Type.Literal('auto'), Type.Literal('check'), Type.Literal('off')]), 'auto'),
  },
  closed,
)
