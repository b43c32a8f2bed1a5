// Fills a realm's tables with copies of one real user's rows: ids in the order of their time, like UUIDv7, names and
// hashes of real length in random order. Also measures the size of rows and indexes.
import type pg from 'pg'

export interface TableWeight {
  readonly table: string
  readonly rows: number
  /** Bytes of the table itself for each row. */
  readonly row: number
  readonly indexes: readonly { readonly name: string; readonly bytesPerRow: number; readonly levels: number }[]
}

// The values that the application makes from its clock and random bytes (RFC 9562 §5.7).
const uuidV7 = (
  at: string,
) => `(lpad(to_hex((extract(epoch from ${at}) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
  || '8' || substr(md5(random()::text), 1, 15))::uuid`

/** The user name of the nth of the crowd. */
export const nameOf = (sql: string) => `substr(md5(${sql}::text), 1, 12) || '@example.com'`

/**
 * @param model the user name of somebody who has registered, signed in and got an authenticator key and recovery codes
 * @param count how many users; each has a session of the last 30 days, every tenth a second factor
 */
export async function gather(client: pg.Client, schema: string, model: string, count: number): Promise<void> {
  await client.query(`set search_path = ${schema}, public`)
  await client.query(
    `
    insert into users (id, user_name, normalized_user_name, email, normalized_email, email_confirmed, password_hash, security_stamp,
      concurrency_stamp, two_factor_enabled, lockout_enabled, profile, created_at)
    select ${uuidV7('at')}, name, upper(name), name, upper(name), true, m.password_hash, upper(md5(name)), gen_random_uuid(), n % 10 = 0, true, m.profile, at
    from (select n, ${nameOf('n')} as name, now() - (1 - n / $1::float) * interval '2 years' as at from generate_series(1, $1::int) n) crowd
      cross join (select * from users where user_name = $2) m`,
    [count, model],
  )
  await client.query(
    `
    insert into sessions (id, user_id, counter, rotated_at, created_at, last_seen_at, expires_at, amr, client)
    select ${uuidV7('at')}, crowd.id, 3, at, at, at, at + interval '30 days', m.amr, m.client
    from (select id, now() - (1 - row_number() over (order by md5(id::text)) / $1::float) * interval '30 days' as at from users) crowd
      cross join (select * from sessions limit 1) m order by at`,
    [count],
  )
  await client.query(`
    insert into user_tokens (user_id, login_provider, name, value) select u.id, m.login_provider, m.name, m.value
    from users u cross join (select * from user_tokens limit 1) m where u.two_factor_enabled order by md5(u.id::text)`)
  await client.query(`
    insert into recovery_codes (user_id, code_hash) select id, decode(md5(random()::text) || md5(random()::text), 'hex')
    from (select * from users where two_factor_enabled order by md5(id::text)) u, generate_series(1, 10)`)
  await client.query(
    `
    insert into attempts (key, pending_at, failures, total_failures, lapses_at)
    select decode(md5(random()::text) || md5(random()::text), 'hex'), now(), 1, 1, now() + interval '10 minutes' from generate_series(1, $1)`,
    [count >> 2],
  )
  await revoke(client, schema, count >> 2, 7200)
  for (const table of ['users', 'sessions', 'user_tokens', 'recovery_codes', 'attempts', 'revocations'])
    await client.query(`vacuum analyze ${table}`)
}

/** Leaves notes of sessions that ended evenly within the last `seconds`. */
export async function revoke(client: pg.Client, schema: string, count: number, seconds: number): Promise<void> {
  await client.query(
    `insert into ${schema}.revocations (session_id, revoked_at)
    select ${uuidV7("at - interval '20 minutes' * random()")}, at
    from (select clock_timestamp() - (1 - n / $1::float) * make_interval(secs => $2) as at from generate_series(1, $1::int) n) ended`,
    [count, seconds],
  )
}

export async function weigh(client: pg.Client, schema: string): Promise<TableWeight[]> {
  const { rows } = await client.query<{ table: string; index: string; rows: number; heap: number; size: number }>(
    `
    select c.relname as table, i.relname as index, c.reltuples::float as rows, pg_table_size(c.oid)::float as heap, pg_relation_size(i.oid)::float as size
    from pg_class c join pg_index x on x.indrelid = c.oid join pg_class i on i.oid = x.indexrelid
    where c.relnamespace = $1::regnamespace and c.reltuples > 1000 order by pg_table_size(c.oid) desc, i.relname not like '%pkey', i.relname`,
    [schema],
  )
  const depth = new Map<string, number>()
  for (const { index } of rows) depth.set(index, await levelsOf(client, `${schema}.${index}`))
  return Array.from(new Set(rows.map(({ table }) => table)), (table) => {
    const own = rows.filter((row) => row.table === table)
    return {
      table,
      rows: own[0]!.rows,
      row: own[0]!.heap / own[0]!.rows,
      indexes: own.map(({ index, size }) => ({
        name: index,
        bytesPerRow: size / own[0]!.rows,
        levels: depth.get(index)!,
      })),
    }
  })
}

/** Pages that a look-up reads in an index. */
async function levelsOf(client: pg.Client, index: string): Promise<number> {
  const { rows } = await client.query<{ level: string }>('select level from bt_metap($1)', [index])
  return Number(rows[0]!.level) + 1
}
