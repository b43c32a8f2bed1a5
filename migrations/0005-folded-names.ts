// Names under which letters beyond ASCII are one in either case: `Müller` and `MÜLLER`. The columns of before stay, with letters of ASCII
// folded: instances of the version before, which run beside the new ones during an upgrade, find and write users by them, and the
// database computes the new ones from them. Null for a name of ASCII alone, so that the new indexes hold no others.
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { upperCases } from './upper-case.js'

export function createFoldedNames(schema: string) {
  const users = sql.id(schema, 'users')
  const roles = sql.id(schema, 'roles')
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      // A rank tells apart those who were two before: the oldest has 0, as every new one.
      await sql`alter table ${users}
        add column folded_user_name varchar(256) generated always as (${folded('normalized_user_name')}) stored,
        add column folded_email varchar(256) generated always as (${folded('normalized_email')}) stored,
        add column name_rank integer not null default 0,
        add column email_rank integer not null default 0`.execute(db)
      await sql`alter table ${roles}
        add column folded_name varchar(256) generated always as (${folded('normalized_name')}) stored,
        add column name_rank integer not null default 0`.execute(db)

      await rank(users, 'folded_user_name', 'name_rank', sql`true`).execute(db)
      await rank(users, 'folded_email', 'email_rank', sql`unique_email is not null`).execute(db)
      await rank(roles, 'folded_name', 'name_rank', sql`true`).execute(db)

      await sql`create unique index users_folded_user_name on ${users} (folded_user_name, name_rank)
        where folded_user_name is not null`.execute(db)
      await sql`create index users_folded_email on ${users} (folded_email) where folded_email is not null`.execute(db)
      await sql`create unique index users_unique_folded_email on ${users} (folded_email, email_rank)
        where folded_email is not null and unique_email is not null`.execute(db)
      await sql`create unique index roles_folded_name on ${roles} (folded_name, name_rank)
        where folded_name is not null`.execute(db)
      await sql`create index users_folded_name_search on ${users} ((folded_user_name collate "C"), id)
        where folded_user_name is not null`.execute(db)
      await sql`create index users_folded_email_search on ${users} ((folded_email collate "C"), id)
        where folded_email is not null and folded_email is distinct from folded_user_name`.execute(db)
    },

    async down(db: Kysely<unknown>): Promise<void> {
      await sql`alter table ${roles} drop column folded_name, drop column name_rank`.execute(db)
      await sql`alter table ${users}
        drop column folded_user_name, drop column folded_email, drop column name_rank, drop column email_rank`.execute(
        db,
      )
    },
  }
}

/** The upper case of a column with letters beyond ASCII, otherwise null. */
function folded(column: string) {
  const [lower, upper] = upperCases()
  const text = sql.ref(column)
  return sql`case when octet_length(${text}) <> char_length(${text}) then translate(${text}, ${sql.lit(lower)}, ${sql.lit(upper)}) end`
}

/** Numbers the rows of one key, oldest first. */
function rank(table: RawBuilder<unknown>, key: string, column: string, condition: RawBuilder<unknown>) {
  return sql`update ${table} one set ${sql.ref(column)} = ranked.rank
    from (select id, row_number() over (partition by ${sql.ref(key)} order by id) - 1 as rank
      from ${table} where ${sql.ref(key)} is not null and ${condition}) ranked
    where one.id = ranked.id and ranked.rank > 0`
}
