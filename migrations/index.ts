// The migrations by name, for our own runner and for a host's migrator. A released migration is never changed; a new one is added.
import type { Migration } from 'kysely'
import { createIdentity } from './0001-identity.js'

/**
 * The migrations that create and change our tables.
 *
 * @param schema the Postgres schema of the tables, as in option `schema`; default `'identity'`
 * @example new Migrator({ db, provider: { getMigrations: async () => migrations() } })
 */
export function migrations(schema = 'identity'): Record<string, Migration> {
  return {
    '0001-identity': createIdentity(schema),
  }
}
