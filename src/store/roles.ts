// Rows of roles, and their members. A role's own claims are in claims.ts.
import { type RawBuilder, sql } from 'kysely'
import { type ClaimChange, noteClaims } from './claim-changes.js'
import { type Db, table, type Trx } from './db.js'
import { hasKey, keyOf, type NameKeys, nameKeys, spelledFirst } from './name-keys.js'
import { toUser, userColumns, type UserRecord } from './users.js'

/** A role of the application. Methods that change a role also update the object that they are given. */
export interface RoleRecord {
  /** UUID version 7: sorting by id sorts by creation. */
  id: string
  /** The name as typed. */
  name: string
  /** The form of the name that is unique: NFC, letters in upper case. */
  normalizedName: string
  /** A random text that changes with each write: a change of an older copy is a ConcurrencyFailure. */
  concurrencyStamp: string
}

const roleColumns = sql`r.id, r.name, ${keyOf('r', 'normalized_name')} as "normalizedName", r.concurrency_stamp as "concurrencyStamp"`

export async function findRoleById(db: Db, id: string): Promise<RoleRecord | null> {
  const { rows } = await sql<RoleRecord>`
    select ${roleColumns} from ${table(db, 'roles')} r where r.id = ${id}`.execute(db.kysely)
  return rows[0] ?? null
}

export async function findRoleByName(db: Db, name: NameKeys): Promise<RoleRecord | null> {
  const { rows } = await sql<RoleRecord>`
    select ${roleColumns} from ${table(db, 'roles')} r where r.id = ${roleIdOf(db, name)}`.execute(db.kysely)
  return rows[0] ?? null
}

/** The role of a name; of several that differ in the case of letters beyond ASCII only, the one that is spelled so. */
function roleIdOf(db: Db, { folded, spelled }: NameKeys): RawBuilder<string> {
  return sql`(select one.id from ${table(db, 'roles')} one where ${hasKey('one', 'normalized_name', folded)}
    order by ${spelledFirst('one', 'normalized_name', spelled)} limit 1)`
}

export async function listRoles(db: Db, afterId: string, limit: number): Promise<RoleRecord[]> {
  const { rows } = await sql<RoleRecord>`
    select ${roleColumns} from ${table(db, 'roles')} r where r.id > ${afterId}::uuid order by r.id limit ${limit}`.execute(
    db.kysely,
  )
  return rows
}

/** Writes a new role; false when the name is taken. */
export async function insertRole(db: Db, role: RoleRecord): Promise<boolean> {
  const inserted = await db.kysely
    .insertInto('roles')
    .values({
      id: role.id,
      name: role.name,
      normalized_name: spelled(role),
      concurrency_stamp: role.concurrencyStamp,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted !== undefined
}

/** Writes a role where nobody else has changed it since it was read, and no other one has its name; the note of the change is about its old name. */
export async function updateRole(
  db: Db,
  role: RoleRecord,
  expectedConcurrencyStamp: string,
): Promise<'changed' | 'taken' | readonly ClaimChange[]> {
  const { rows } = await sql<ClaimChange & { taken: boolean | null }>`
    with before as (select r.id, r.name, ${keyOf('r', 'normalized_name')} as key from ${table(db, 'roles')} r where r.id = ${role.id}::uuid),
    other as (select 1 from ${table(db, 'roles')} o where ${hasKey('o', 'normalized_name', role.normalizedName)} and o.id <> ${role.id}::uuid
      and not exists (select 1 from before where key = ${role.normalizedName})),
    written as (
      update ${table(db, 'roles')}
      set name = ${role.name}, normalized_name = ${spelled(role)}, concurrency_stamp = ${role.concurrencyStamp}::uuid,
        name_rank = case when folded_name = ${role.normalizedName} then name_rank else 0 end
      where id = ${role.id}::uuid and concurrency_stamp = ${expectedConcurrencyStamp}::uuid and not exists (select 1 from other)
      returning id),
    changed as (${noteClaims(db, sql`select 'r:' || before.name from before join written on written.id = before.id`)})
    select null as taken, subject, mark, at from changed
    union all select exists (select 1 from other), null, null, null where not exists (select 1 from written)`.execute(
    db.kysely,
  )
  const [first] = rows
  if (first?.taken === true) return 'taken'
  return first === undefined || first.taken === false
    ? 'changed'
    : rows.map(({ subject, mark, at }) => ({ subject, mark, at }))
}

/** Deletes a role with its claims and memberships; no change when someone has changed it since it was read, or it is gone. */
export async function deleteRole(
  db: Db,
  id: string,
  expectedConcurrencyStamp: string,
): Promise<readonly ClaimChange[]> {
  const { rows } = await sql<ClaimChange>`
    with deleted as (
      delete from ${table(db, 'roles')} where id = ${id} and concurrency_stamp = ${expectedConcurrencyStamp} returning name)
    ${noteClaims(db, sql`select 'r:' || name from deleted`)}`.execute(db.kysely)
  return rows
}

/** The role of each of these names, null where there is none; they cannot be deleted until the transaction ends. */
export async function holdRoles(trx: Trx, names: readonly NameKeys[]): Promise<(RoleRecord | null)[]> {
  if (names.length === 0) return []
  const { rows } = await sql<RoleRecord & { spelled: string; rank: number | string }>`
    select ${roleColumns}, r.normalized_name as spelled, r.name_rank as rank from ${table(trx, 'roles')} r
    where ${sql.join(
      names.map(({ folded }) => hasKey('r', 'normalized_name', folded)),
      sql` or `,
    )}
    order by r.id for key share of r`.execute(trx.kysely)
  return names.map((name) => {
    const named = rows.filter(({ normalizedName }) => normalizedName === name.folded)
    const oldest = named.toSorted((one, other) => Number(one.rank) - Number(other.rank))[0]
    const role = named.find((one) => one.spelled === name.spelled) ?? oldest
    return role === undefined
      ? null
      : { id: role.id, name: role.name, normalizedName: role.normalizedName, concurrencyStamp: role.concurrencyStamp }
  })
}

/** A user's roles, by name. */
export async function listRolesOfUser(db: Db, userId: string): Promise<RoleRecord[]> {
  const { rows } = await sql<RoleRecord>`
    select ${roleColumns} from ${table(db, 'user_roles')} ur join ${table(db, 'roles')} r on r.id = ur.role_id
    where ur.user_id = ${userId} order by r.name`.execute(db.kysely)
  return rows
}

export async function isUserInRole(db: Db, userId: string, name: NameKeys): Promise<boolean> {
  const { rows } = await sql`
    select 1 from ${table(db, 'user_roles')} where user_id = ${userId} and role_id = ${roleIdOf(db, name)}`.execute(
    db.kysely,
  )
  return rows.length > 0
}

export async function insertUserRoles(trx: Trx, userId: string, roleIds: readonly string[]): Promise<void> {
  if (roleIds.length === 0) return
  await trx.kysely
    .insertInto('user_roles')
    .values(roleIds.map((role_id) => ({ user_id: userId, role_id })))
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function deleteUserRoles(trx: Trx, userId: string, roleIds: readonly string[]): Promise<void> {
  if (roleIds.length === 0) return
  await trx.kysely.deleteFrom('user_roles').where('user_id', '=', userId).where('role_id', 'in', roleIds).execute()
}

/** Users in a role, in the order of their ids. The page is cut before the users are read: its cost is the page's, not the role's. */
export async function listUsersInRole(db: Db, name: NameKeys, afterId: string, limit: number): Promise<UserRecord[]> {
  const { rows } = await sql<UserRecord>`
    select ${userColumns} from (
      select user_id from ${table(db, 'user_roles')}
      where role_id = ${roleIdOf(db, name)} and user_id > ${afterId}::uuid
      order by user_id limit ${limit}) page
    join ${table(db, 'users')} u on u.id = page.user_id order by u.id`.execute(db.kysely)
  return rows.map(toUser)
}

function spelled({ name, normalizedName }: RoleRecord): string {
  return nameKeys(name)?.spelled ?? normalizedName
}
