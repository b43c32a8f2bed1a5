// The migrations by name, for our own runner and for a host's migrator. A released migration is never changed; a new one is added.
import { createIdentity } from './0001-identity.js'
import { createDirectory } from './0002-directory.js'
import { inExistingSchema } from './existing-schema.js'
import { withPlainIndexes } from './plain-indexes.js'
import { createSessionColumns } from './0003-sessions.js'
import { createThrottle } from './0004-throttle.js'
import { createFoldedNames } from './0005-folded-names.js'
import type { IdentityMigration } from './migration.js'

export type { IdentityMigration } from './migration.js'

/**
 * The migrations that create and change our tables.
 *
 * @param schema the Postgres schema of the tables, as in option `schema`; default `'identity'`
 * @example new Migrator({ db, provider: { getMigrations: async () => migrations() } })
 */
export function migrations(schema = 'identity'): Record<string, IdentityMigration> {
  return {
    '0001-identity': inExistingSchema(createIdentity(schema), schema),
    '0002-directory': withPlainIndexes(createDirectory(schema)),
    '0003-sessions': createSessionColumns(schema),
    '0004-throttle': createThrottle(schema),
    '0005-folded-names': createFoldedNames(schema),
  }
}
