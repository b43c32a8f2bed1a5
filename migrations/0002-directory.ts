// Indexes for searching users, and passkeys. Prefixes and order go by code points (collation "C"), so that they are
// the same on every server, whatever its locale.
import { type Kysely, sql } from 'kysely'

export function createDirectory(schema: string) {
  const users = sql.id(schema, 'users')
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      await sql`create index users_name_search on ${users} (normalized_user_name collate "C", id)`.execute(db)
      // Where the address is the user name, as by default, the index of names covers it.
      await sql`create index users_email_search on ${users} (normalized_email collate "C", id)
        where normalized_email is distinct from normalized_user_name`.execute(db)

      const create = db.schema.withSchema(schema)
      await create
        .createTable('user_passkeys')
        // WebAuthn §4: a credential id has at most 1,023 bytes.
        .addColumn('credential_id', 'bytea', (column) => column.primaryKey())
        .addColumn('user_id', 'uuid', (column) => column.notNull().references(`${schema}.users.id`).onDelete('cascade'))
        .addColumn('name', 'varchar(256)')
        .addColumn('public_key', 'bytea', (column) => column.notNull())
        .addColumn('sign_count', 'bigint', (column) => column.notNull())
        .addColumn('transports', sql`text[]`, (column) => column.notNull())
        .addColumn('is_user_verified', 'boolean', (column) => column.notNull())
        .addColumn('is_backup_eligible', 'boolean', (column) => column.notNull())
        .addColumn('is_backed_up', 'boolean', (column) => column.notNull())
        .addColumn('attestation_object', 'bytea', (column) => column.notNull())
        .addColumn('client_data_json', 'bytea', (column) => column.notNull())
        .addColumn('created_at', 'timestamptz', (column) => column.notNull())
        .execute()
      await create.createIndex('user_passkeys_user_id').on('user_passkeys').column('user_id').execute()
    },

    async down(db: Kysely<unknown>): Promise<void> {
      const drop = db.schema.withSchema(schema)
      await drop.dropTable('user_passkeys').execute()
      await drop.dropIndex('users_email_search').execute()
      await drop.dropIndex('users_name_search').execute()
    },
  }
}
