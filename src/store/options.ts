// The options of the database.
import { Type } from '@sinclair/typebox'
import { closed, defaulted, foreign } from '../option-schema.js'
import type { DatabaseOption } from './database-option.js'

export const storeOptions = Type.Object(
  {
    /**
     * The Postgres database: a connection string, `pg.Pool`, `pg.PoolConfig` or `Kysely` instance. A pool or instance that you pass is
     * never closed.
     * @default environment variable `DATABASE_URL`, or libpq's `PG*`
     */
    database: Type.Optional(foreign<DatabaseOption>()),
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
