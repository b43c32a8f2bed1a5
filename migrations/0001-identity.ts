// Users, roles, claims, external logins, sessions, keys, the attempt throttle and the outbox, in a Postgres schema of their own.
// Ids are UUIDv7 made by the application: no sequence, so that every Postgres-compatible cluster can spread the rows.
import { type Kysely, sql } from 'kysely'

export function createIdentity(schema: string) {
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema.createSchema(schema).ifNotExists().execute()
      const create = db.schema.withSchema(schema)
      const userId = `${schema}.users.id`
      const roleId = `${schema}.roles.id`

      await create
        .createTable('users')
        .addColumn('id', 'uuid', (column) => column.primaryKey())
        .addColumn('user_name', 'varchar(256)', (column) => column.notNull())
        .addColumn('normalized_user_name', 'varchar(256)', (column) => column.notNull())
        .addColumn('email', 'varchar(256)')
        .addColumn('normalized_email', 'varchar(256)')
        // Equal to normalized_email with option user.requireUniqueEmail, otherwise null: the unique index behind the
        // option.
        .addColumn('unique_email', 'varchar(256)')
        .addColumn('email_confirmed', 'boolean', (column) => column.notNull().defaultTo(false))
        .addColumn('password_hash', 'text')
        .addColumn('security_stamp', 'text', (column) => column.notNull())
        .addColumn('concurrency_stamp', 'uuid', (column) => column.notNull())
        .addColumn('phone_number', 'varchar(256)')
        .addColumn('phone_number_confirmed', 'boolean', (column) => column.notNull().defaultTo(false))
        .addColumn('two_factor_enabled', 'boolean', (column) => column.notNull().defaultTo(false))
        // The last TOTP step that opened a login; a step opens one login only (RFC 6238 §5.2).
        .addColumn('totp_last_step', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('lockout_enabled', 'boolean', (column) => column.notNull())
        .addColumn('lockout_end', 'timestamptz')
        .addColumn('profile', 'jsonb', (column) => column.notNull().defaultTo(sql`'{}'::jsonb`))
        .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
        .execute()
      await create
        .createIndex('users_normalized_user_name')
        .unique()
        .on('users')
        .column('normalized_user_name')
        .execute()
      await create.createIndex('users_unique_email').unique().on('users').column('unique_email').execute()
      await create.createIndex('users_normalized_email').on('users').column('normalized_email').execute()

      await create
        .createTable('roles')
        .addColumn('id', 'uuid', (column) => column.primaryKey())
        .addColumn('name', 'varchar(256)', (column) => column.notNull())
        .addColumn('normalized_name', 'varchar(256)', (column) => column.notNull())
        .addColumn('concurrency_stamp', 'uuid', (column) => column.notNull())
        .execute()
      await create.createIndex('roles_normalized_name').unique().on('roles').column('normalized_name').execute()

      await create
        .createTable('user_roles')
        .addColumn('user_id', 'uuid', (column) => column.notNull().references(userId).onDelete('cascade'))
        .addColumn('role_id', 'uuid', (column) => column.notNull().references(roleId).onDelete('cascade'))
        .addPrimaryKeyConstraint('user_roles_pkey', ['user_id', 'role_id'])
        .execute()
      await create.createIndex('user_roles_role_id').on('user_roles').columns(['role_id', 'user_id']).execute()

      await create
        .createTable('user_claims')
        .addColumn('id', 'uuid', (column) => column.primaryKey())
        .addColumn('user_id', 'uuid', (column) => column.notNull().references(userId).onDelete('cascade'))
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('value', 'text', (column) => column.notNull())
        .execute()
      await create.createIndex('user_claims_user_id').on('user_claims').column('user_id').execute()
      await create
        .createIndex('user_claims_type_value')
        .on('user_claims')
        .columns(['type', 'value', 'user_id'])
        .execute()

      await create
        .createTable('role_claims')
        .addColumn('id', 'uuid', (column) => column.primaryKey())
        .addColumn('role_id', 'uuid', (column) => column.notNull().references(roleId).onDelete('cascade'))
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('value', 'text', (column) => column.notNull())
        .execute()
      await create.createIndex('role_claims_role_id').on('role_claims').column('role_id').execute()

      await create
        .createTable('user_logins')
        .addColumn('login_provider', 'varchar(128)', (column) => column.notNull())
        .addColumn('provider_key', 'varchar(128)', (column) => column.notNull())
        .addColumn('provider_display_name', 'text')
        .addColumn('user_id', 'uuid', (column) => column.notNull().references(userId).onDelete('cascade'))
        .addPrimaryKeyConstraint('user_logins_pkey', ['login_provider', 'provider_key'])
        .execute()
      await create.createIndex('user_logins_user_id').on('user_logins').column('user_id').execute()

      await create
        .createTable('user_tokens')
        .addColumn('user_id', 'uuid', (column) => column.notNull().references(userId).onDelete('cascade'))
        .addColumn('login_provider', 'varchar(128)', (column) => column.notNull())
        .addColumn('name', 'varchar(128)', (column) => column.notNull())
        .addColumn('value', 'text')
        .addPrimaryKeyConstraint('user_tokens_pkey', ['user_id', 'login_provider', 'name'])
        .execute()

      await create
        .createTable('recovery_codes')
        .addColumn('user_id', 'uuid', (column) => column.notNull().references(userId).onDelete('cascade'))
        .addColumn('code_hash', 'bytea', (column) => column.notNull())
        .addPrimaryKeyConstraint('recovery_codes_pkey', ['user_id', 'code_hash'])
        .execute()

      // One row per login: a refresh increments the counter and never adds a row.
      await create
        .createTable('sessions')
        .addColumn('id', 'uuid', (column) => column.primaryKey())
        .addColumn('user_id', 'uuid', (column) => column.notNull().references(userId).onDelete('cascade'))
        .addColumn('counter', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('rotated_at', 'timestamptz')
        .addColumn('created_at', 'timestamptz', (column) => column.notNull())
        .addColumn('last_seen_at', 'timestamptz', (column) => column.notNull())
        .addColumn('expires_at', 'timestamptz', (column) => column.notNull())
        .addColumn('amr', sql`text[]`, (column) => column.notNull())
        .addColumn('client', 'text')
        .execute()
      await create.createIndex('sessions_user_id').on('sessions').column('user_id').execute()
      await create.createIndex('sessions_expires_at').on('sessions').column('expires_at').execute()

      await create
        .createTable('revocations')
        .addColumn('session_id', 'uuid', (column) => column.primaryKey())
        .addColumn('revoked_at', 'timestamptz', (column) => column.notNull())
        .execute()
      await create.createIndex('revocations_revoked_at').on('revocations').column('revoked_at').execute()

      await create
        .createTable('keys')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('purpose', 'text', (column) => column.notNull())
        // Each key takes the next number: when several instances make a key at the same time, one of them succeeds.
        .addColumn('generation', 'integer', (column) => column.notNull())
        .addColumn('root', 'bytea', (column) => column.notNull())
        .addColumn('wrapped', 'boolean', (column) => column.notNull())
        .addColumn('created_at', 'timestamptz', (column) => column.notNull())
        .addColumn('activates_at', 'timestamptz', (column) => column.notNull())
        .addColumn('retires_at', 'timestamptz')
        .addColumn('revoked_at', 'timestamptz')
        .addUniqueConstraint('keys_purpose_generation', ['purpose', 'generation'])
        .execute()

      // Failed and running attempts, by a keyed hash of the typed identifier, whether or not such a user exists.
      await create
        .createTable('attempts')
        .addColumn('key', 'bytea', (column) => column.primaryKey())
        .addColumn('failures', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('total_failures', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('locks', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('pending', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('pending_at', 'timestamptz', (column) => column.notNull())
        .addColumn('locked_until', 'timestamptz')
        .execute()
      await create.createIndex('attempts_pending_at').on('attempts').column('pending_at').execute()

      await create
        .createTable('outbox')
        .addColumn('id', 'uuid', (column) => column.primaryKey())
        .addColumn('user_id', 'uuid', (column) => column.references(userId).onDelete('cascade'))
        .addColumn('kind', 'text', (column) => column.notNull())
        // Recipient and link or code, sealed: a dump of this table cannot be used to confirm or reset anything.
        .addColumn('sealed', 'text', (column) => column.notNull())
        .addColumn('created_at', 'timestamptz', (column) => column.notNull())
        .addColumn('due_at', 'timestamptz', (column) => column.notNull())
        .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('failed_at', 'timestamptz')
        .execute()
      await create
        .createIndex('outbox_due_at')
        .on('outbox')
        .column('due_at')
        .where(sql<boolean>`failed_at is null`)
        .execute()
    },

    async down(db: Kysely<unknown>): Promise<void> {
      const drop = db.schema.withSchema(schema)
      for (const table of [
        'outbox',
        'attempts',
        'keys',
        'revocations',
        'sessions',
        'recovery_codes',
        'user_tokens',
        'user_logins',
        'role_claims',
        'user_claims',
        'user_roles',
        'roles',
        'users',
      ])
        await drop.dropTable(table).execute()
    },
  }
}
