// Rows of roles, and their members. A role's own claims are in claims.ts.
import { sql } from 'kysely'
import { type ClaimChange, noteClaims } from './claim-changes.js'
import { type Db, table, type Trx } from './db.js'
import { toUser, userColumns, type UserRecord } from './users.js'

/** A role of the application. Methods that change a role also update the object that they are given. */
export interface RoleRecord {
  /** UUID version 7: sorting by id sorts by creation. */
  id: string
  /** The name as typed. */
  name: string
  /** The form of the name that is unique: NFC, ASCII letters in upper case. */
  normalizedName: string
  /** A random text that changes with each write: a change of an older copy is a ConcurrencyFailure. */
  concurrencyStamp: string
}

const roleColumns = [
  'id',
  'name',
  'normalized_name as normalizedName',
  'concurrency_stamp as concurrencyStamp',
] as const

export async function findRoleById(db: Db, id: string): Promise<RoleRecord | null> {
  return (await db.kysely.selectFrom('roles').select(roleColumns).where('id', '=', id).executeTakeFirst()) ?? null
}

export async function findRoleByName(db: Db, normalizedName: string): Promise<RoleRecord | null> {
  return (
    (await db.kysely
      .selectFrom('roles')
      .select(roleColumns)
      .where('normalized_name', '=', normalizedName)
      .executeTakeFirst()) ?? null
  )
}

export function listRoles(db: Db, afterId: string, limit: number): Promise<RoleRecord[]> {
  return db.kysely
    .selectFrom('roles')
    .select(roleColumns)
    .where('id', '>', afterId)
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** Writes a new role; false when the name is taken. */
export async function insertRole(db: Db, role: RoleRecord): Promise<boolean> {
  const inserted = await db.kysely
    .insertInto('roles')
    .values({
      id: role.id,
      name: role.name,
      normalized_name: role.normalizedName,
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
    with before as (select id, name from ${table(db, 'roles')} where id = ${role.id}::uuid),
    other as (select 1 from ${table(db, 'roles')} where normalized_name = ${role.normalizedName} and id <> ${role.id}::uuid),
    written as (
      update ${table(db, 'roles')}
      set name = ${role.name}, normalized_name = ${role.normalizedName}, concurrency_stamp = ${role.concurrencyStamp}::uuid
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

/** The roles of these names; they cannot be deleted until the transaction ends. */
export async function holdRoles(trx: Trx, normalizedNames: readonly string[]): Promise<RoleRecord[]> {
  if (normalizedNames.length === 0) return []
  return trx.kysely
    .selectFrom('roles')
    .select(roleColumns)
    .where('normalized_name', 'in', normalizedNames)
    .orderBy('id')
    .forKeyShare()
    .execute()
}

/** A user's roles, by name. */
export function listRolesOfUser(db: Db, userId: string): Promise<RoleRecord[]> {
  return db.kysely
    .selectFrom('user_roles')
    .innerJoin('roles', 'roles.id', 'user_roles.role_id')
    .select([
      'roles.id',
      'roles.name',
      'roles.normalized_name as normalizedName',
      'roles.concurrency_stamp as concurrencyStamp',
    ])
    .where('user_roles.user_id', '=', userId)
    .orderBy('roles.name')
    .execute()
}

export async function isUserInRole(db: Db, userId: string, normalizedName: string): Promise<boolean> {
  const row = await db.kysely
    .selectFrom('user_roles')
    .innerJoin('roles', 'roles.id', 'user_roles.role_id')
    .select('roles.id')
    .where('user_roles.user_id', '=', userId)
    .where('roles.normalized_name', '=', normalizedName)
    .executeTakeFirst()
  return row !== undefined
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
export async function listUsersInRole(
  db: Db,
  normalizedName: string,
  afterId: string,
  limit: number,
): Promise<UserRecord[]> {
  const { rows } = await sql<UserRecord>`
    select ${userColumns} from (
      select user_id from ${table(db, 'user_roles')}
      where role_id = (select id from ${table(db, 'roles')} where normalized_name = ${normalizedName}) and user_id > ${afterId}::uuid
      order by user_id limit ${limit}) page
    join ${table(db, 'users')} u on u.id = page.user_id order by u.id`.execute(db.kysely)
  return rows.map(toUser)
}
