// Claims of users and of roles: two tables of one form. A claim may occur twice, as in the reference.
import { sql } from 'kysely'
import { type Db, table, type Trx } from './db.js'
import { type Claim, toUser, userColumns, type UserRecord } from './users.js'

/** The owner of claims. */
export type ClaimOwner = { readonly userId: string } | { readonly roleId: string }

function placeOf(db: Db, owner: ClaimOwner) {
  return 'userId' in owner
    ? { claims: table(db, 'user_claims'), column: sql.ref('user_id'), ownerId: owner.userId }
    : { claims: table(db, 'role_claims'), column: sql.ref('role_id'), ownerId: owner.roleId }
}

const types = (claims: readonly Claim[]) => sql`${claims.map(({ type }) => type)}::text[]`
const values = (claims: readonly Claim[]) => sql`${claims.map(({ value }) => value)}::text[]`

/** In the order in which they were added. */
export async function listClaims(db: Db, owner: ClaimOwner): Promise<Claim[]> {
  const { claims, column, ownerId } = placeOf(db, owner)
  const { rows } =
    await sql<Claim>`select type, value from ${claims} where ${column} = ${ownerId}::uuid order by id`.execute(
      db.kysely,
    )
  return rows
}

/** @param ids one for each claim, ascending */
export async function insertClaims(
  trx: Trx,
  owner: ClaimOwner,
  given: readonly Claim[],
  ids: readonly string[],
): Promise<void> {
  const { claims, column, ownerId } = placeOf(trx, owner)
  await sql`
    insert into ${claims} (id, ${column}, type, value)
    select given.id, ${ownerId}::uuid, given.type, given.value
    from unnest(${ids}::uuid[], ${types(given)}, ${values(given)}) as given (id, type, value)`.execute(trx.kysely)
}

/** Every occurrence of them. */
export async function deleteClaims(trx: Trx, owner: ClaimOwner, given: readonly Claim[]): Promise<void> {
  const { claims, column, ownerId } = placeOf(trx, owner)
  await sql`
    delete from ${claims} where ${column} = ${ownerId}::uuid
      and (type, value) in (select given.type, given.value from unnest(${types(given)}, ${values(given)}) as given (type, value))`.execute(
    trx.kysely,
  )
}

export async function replaceClaim(trx: Trx, owner: ClaimOwner, claim: Claim, next: Claim): Promise<void> {
  const { claims, column, ownerId } = placeOf(trx, owner)
  await sql`
    update ${claims} set type = ${next.type}, value = ${next.value}
    where ${column} = ${ownerId}::uuid and type = ${claim.type} and value = ${claim.value}`.execute(trx.kysely)
}

/** Users who have a claim of their own, in the order of their ids. The page is cut before the users are read. */
export async function listUsersWithClaim(db: Db, claim: Claim, afterId: string, limit: number): Promise<UserRecord[]> {
  const { rows } = await sql<UserRecord>`
    select ${userColumns} from (
      select distinct user_id from ${table(db, 'user_claims')}
      where type = ${claim.type} and value = ${claim.value} and user_id > ${afterId}::uuid
      order by user_id limit ${limit}) page
    join ${table(db, 'users')} u on u.id = page.user_id order by u.id`.execute(db.kysely)
  return rows.map(toUser)
}
