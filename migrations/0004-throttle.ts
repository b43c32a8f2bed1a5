// Reservations of the throttle by their ids, so that each can be given back, and the time until which a row is needed. Column `pending` stays
// for instances of the version before, which run beside the new ones during an upgrade.
import { type Kysely, sql } from 'kysely'

export function createThrottle(schema: string) {
  const attempts = sql.id(schema, 'attempts')
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      // The defaults are for rows of the version before: they are forgotten after 30 days, as that version does.
      await sql`alter table ${attempts}
        add column reservations jsonb not null default '{}',
        add column has_user boolean not null default true,
        add column lapses_at timestamptz not null default 'infinity',
        add column expires_at timestamptz not null default now() + interval '30 days'`.execute(db)
      await sql`drop index ${sql.id(schema, 'attempts_pending_at')}`.execute(db)
      await sql`create index attempts_expires_at on ${attempts} (has_user, expires_at)`.execute(db)
    },

    async down(db: Kysely<unknown>): Promise<void> {
      await sql`drop index ${sql.id(schema, 'attempts_expires_at')}`.execute(db)
      await sql`create index attempts_pending_at on ${attempts} (pending_at)`.execute(db)
      await sql`alter table ${attempts}
        drop column reservations, drop column has_user, drop column lapses_at, drop column expires_at`.execute(db)
    },
  }
}
