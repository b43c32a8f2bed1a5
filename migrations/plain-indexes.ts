// For databases that speak Postgres's protocol and take `((column collate "C"), id)` in an index, where Postgres takes `(column collate "C", id)`
// as well. To Postgres both are the same index.
import type { KyselyPlugin, RawNode } from 'kysely'
import type { IdentityMigration } from './migration.js'

/** The same migration, with each collation of an index in parentheses of its own. */
export function withPlainIndexes(migration: IdentityMigration): IdentityMigration {
  return { ...migration, up: (db) => migration.up(db.withPlugin(parenthesised)) }
}

const parenthesised: KyselyPlugin = {
  transformQuery: ({ node }) =>
    node.kind === 'RawNode' && node.sqlFragments[0]?.startsWith('create index') === true ? rewritten(node) : node,
  transformResult: ({ result }) => Promise.resolve(result),
}

function rewritten(node: RawNode): RawNode {
  return {
    ...node,
    sqlFragments: node.sqlFragments.map((text) => text.replace(/\((\w+ collate "C"), /, '(($1), ')),
  }
}
