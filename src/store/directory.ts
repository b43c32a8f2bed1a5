// All users, page by page. The cost of a page depends on its size, not on the number of users: each query walks an
// index from the end of the previous page.
import { sql } from 'kysely'
import { type Db, table } from './db.js'
import { isBeyondAscii } from './name-keys.js'
import { toUser, userColumns, type UserRecord } from './users.js'

/** Users in the order of their ids, which is the order of creation. */
export async function listUsers(db: Db, afterId: string, limit: number): Promise<UserRecord[]> {
  const { rows } = await sql<UserRecord>`
    select ${userColumns} from ${table(db, 'users')} u where u.id > ${afterId}::uuid order by u.id limit ${limit}`.execute(
    db.kysely,
  )
  return rows.map(toUser)
}

/** A position in the result of a search. */
export interface Match {
  /** The normalised user name or address that was found. */
  readonly key: string
  readonly id: string
}

/** A user who was found by `key`. */
export interface UserMatch extends Match {
  readonly user: UserRecord
  /** Whether an earlier position of the list has the same user, by the other of name and address. */
  readonly isRepeated: boolean
}

type MatchRow = UserRecord & { key: string; isRepeated: boolean }

/**
 * Users whose normalised user name or address begins with a prefix, in the order of the match (by code points, then
 * id). A user whose name and address both match occurs twice.
 */
export async function searchUsers(db: Db, prefix: string, after: Match | null, limit: number): Promise<UserMatch[]> {
  // A prefix of ASCII begins the keys of both kinds alike, so that the indexes of all names serve it.
  const [nameColumn, emailColumn] = isBeyondAscii(prefix)
    ? (['u.folded_user_name', 'u.folded_email'] as const)
    : (['u.normalized_user_name', 'u.normalized_email'] as const)
  const name = sql`${sql.ref(nameColumn)} collate "C"`
  const email = sql`${sql.ref(emailColumn)} collate "C"`
  // Nothing that begins with the prefix comes after the prefix with the last of all code points.
  const end = `${prefix}\u{10ffff}`
  const start = after ?? { key: prefix, id: '00000000-0000-0000-0000-000000000000' }
  // The first comparison is the entry into the index, the second skips the previous page.
  const within = (key: typeof name) => sql`
    ${key} >= ${start.key} and ${key} < ${end} and (${key} > ${start.key} or u.id > ${start.id}::uuid)`
  const repeated = (key: typeof name, other: typeof name) =>
    sql`coalesce(${other} >= ${prefix} and ${other} < ${key}, false) as "isRepeated"`
  const { rows } = await sql<MatchRow>`
    with matches as (
      (select u.id, ${name} as key, ${repeated(name, email)} from ${table(db, 'users')} u where ${within(name)} order by ${name}, u.id limit ${limit})
      union all
      (select u.id, ${email} as key, ${repeated(email, name)} from ${table(db, 'users')} u
        where ${sql.ref(emailColumn)} is distinct from ${sql.ref(nameColumn)} and ${within(email)} order by ${email}, u.id limit ${limit})),
    page as (select * from matches order by key, id limit ${limit})
    select page.key, page."isRepeated", ${userColumns} from page join ${table(db, 'users')} u on u.id = page.id order by page.key, page.id`.execute(
    db.kysely,
  )
  return rows.map(({ key, isRepeated, ...user }) => ({ key, id: user.id, isRepeated, user: toUser(user) }))
}
