// Fills a realm's tables by SQL: so many users with one password, and a session for each.
import pg from 'pg'

export const password = 'Correct-Horse-7'

/** The user names are person-1@example.com and so on. The schema is there: a server was started on it. */
export async function fill(database: string, schema: string, count: number, passwordHash: string): Promise<void> {
  const client = new pg.Client(database)
  await client.connect()
  try {
    await client.query(
      `
      insert into ${schema}.users (id, user_name, normalized_user_name, email, normalized_email, password_hash, security_stamp, concurrency_stamp, lockout_enabled)
      select gen_random_uuid(), name, upper(name), name, upper(name), $2, upper(md5(n::text)), gen_random_uuid(), true
      from (select n, format('person-%s@example.com', n) as name from generate_series(1, $1) n) people`,
      [count, passwordHash],
    )
    await client.query(`
      insert into ${schema}.sessions (id, user_id, created_at, last_seen_at, expires_at, amr)
      select gen_random_uuid(), id, now(), now(), now() + interval '30 days', '{pwd}' from ${schema}.users`)
    await client.query(`vacuum analyze ${schema}.users`)
    await client.query(`vacuum analyze ${schema}.sessions`)
  } finally {
    await client.end()
  }
}

/** Logins of people who lie evenly among `count`. */
export function loginBodies(count: number, of: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    email: `person-${1 + Math.floor((index * of) / count)}@example.com`,
    password,
  }))
}

/** Ids of sessions, for the bare routes. */
export async function sessionIds(database: string, schema: string, count: number): Promise<string[]> {
  const client = new pg.Client(database)
  await client.connect()
  try {
    const { rows } = await client.query<{ id: string }>(
      `select id from ${schema}.sessions order by md5(id::text) desc limit $1`,
      [count],
    )
    return rows.map(({ id }) => id)
  } finally {
    await client.end()
  }
}
