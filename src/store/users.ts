// Rows of users and of their belongings. Every change that must happen once is one conditional statement; there are
// no domain rules here.
import { sql } from 'kysely'
import { type ClaimChange, noteClaims } from './claim-changes.js'
import { hasKey, isBeyondAscii, keyOf, type NameKeys, nameKeys, spelledFirst } from './name-keys.js'
import { mailValues, type OutboxRecord } from './outbox.js'
import type { Profile } from './profile.js'
import { type Db, table, type Trx } from './db.js'

/** A claim as it is stored and as it travels in a ticket. */
export interface Claim {
  /** The kind of claim, for example `department`. */
  readonly type: string
  /** Its value, as text. */
  readonly value: string
}

/** A user's row as the domain sees it. `profile` is described by option `profile`. */
export interface UserRecord {
  /** UUID version 7: sorting by id sorts by creation. */
  id: string
  /** The name to sign in with, as typed. */
  userName: string
  /** The form of `userName` that is unique: NFC, letters in upper case. */
  normalizedUserName: string
  /** The e-mail address as typed; null without one. */
  email: string | null
  /** The form of `email` that searches and `user.requireUniqueEmail` compare; null without one. */
  normalizedEmail: string | null
  /** Whether the user has proved to receive mail at `email`. */
  emailConfirmed: boolean
  /** The stored hash; null for a user without a password. */
  passwordHash: string | null
  /**
   * A random text that changes with each way to sign in: password, address, second factor. Mailed codes die with
   * it.
   */
  securityStamp: string
  /** A random text that changes with each write: a change of an older copy is a ConcurrencyFailure. */
  concurrencyStamp: string
  /** The phone number; null without one. */
  phoneNumber: string | null
  /** Whether the user has proved to receive messages at `phoneNumber`. */
  phoneNumberConfirmed: boolean
  /** Whether signing in needs a second factor. */
  twoFactorEnabled: boolean
  /** Whether the user can be locked out. */
  lockoutEnabled: boolean
  /**
   * When the lock of an administrator ends; null without one. Locks after failed attempts are not here, see
   * `users.isLockedOut`.
   */
  lockoutEnd: Date | null
  /** The fields that option `profile` describes. */
  profile: Profile
  /** When the user was created. */
  createdAt: Date
}

/** A user with the contents of a ticket: role names, then stored claims, the user's own before those of roles. */
export interface UserWithGrants {
  /** The user as stored. */
  readonly user: UserRecord
  /** Names of the roles, in alphabetical order. */
  readonly roles: readonly string[]
  /** Stored claims, the user's own before those of roles. */
  readonly claims: readonly Claim[]
}

/** The columns of a user, as JSON-safe SQL for one round trip with the rest. */
export const userColumns = sql`
  u.id, u.user_name as "userName", ${keyOf('u', 'normalized_user_name')} as "normalizedUserName", u.email, ${keyOf('u', 'normalized_email')} as "normalizedEmail",
  u.email_confirmed as "emailConfirmed", u.password_hash as "passwordHash", u.security_stamp as "securityStamp",
  u.concurrency_stamp as "concurrencyStamp", u.phone_number as "phoneNumber", u.phone_number_confirmed as "phoneNumberConfirmed",
  u.two_factor_enabled as "twoFactorEnabled", u.lockout_enabled as "lockoutEnabled", u.lockout_end as "lockoutEnd",
  u.profile, u.created_at as "createdAt"`

/** Roles and claims of the user `u` in the same statement. */
export function grantColumns(db: Db) {
  return sql`
    coalesce((select json_agg(r.name order by r.name)
      from ${table(db, 'user_roles')} ur join ${table(db, 'roles')} r on r.id = ur.role_id where ur.user_id = u.id), '[]') as roles,
    coalesce((select json_agg(json_build_object('type', c.type, 'value', c.value) order by c.rank, c.role, c.id) from (
      select 0 as rank, '' as role, uc.id, uc.type, uc.value from ${table(db, 'user_claims')} uc where uc.user_id = u.id
      union all
      select 1, r.name, rc.id, rc.type, rc.value from ${table(db, 'user_roles')} ur
        join ${table(db, 'roles')} r on r.id = ur.role_id join ${table(db, 'role_claims')} rc on rc.role_id = r.id
        where ur.user_id = u.id) c), '[]') as claims`
}

export type UserRow = UserRecord & { roles: string[]; claims: Claim[] }

/** Splits a row of userColumns and grantColumns. A host's pg may parse timestamps as text, so dates are made here. */
export function withGrants(row: UserRow): UserWithGrants {
  const { roles, claims, ...user } = row
  return { user: toUser(user), roles, claims }
}

export function toUser(row: UserRecord): UserRecord {
  return {
    ...row,
    lockoutEnd: row.lockoutEnd === null ? null : toDate(row.lockoutEnd),
    createdAt: new Date(row.createdAt),
  }
}

const endOfTime = 8.64e15

/**
 * A timestamp in the form of any parser. Postgres's infinity, a number to pg, becomes the last instant that a Date
 * can hold.
 */
function toDate(value: Date | number | string): Date {
  const time = value === 'infinity' ? Infinity : value === '-infinity' ? -Infinity : new Date(value).getTime()
  return new Date(Math.max(-endOfTime, Math.min(endOfTime, typeof value === 'number' ? value : time)))
}

export async function findUserById(db: Db, id: string): Promise<UserRecord | null> {
  const {
    rows: [row],
  } = await sql<UserRecord>`select ${userColumns} from ${table(db, 'users')} u where u.id = ${id}`.execute(db.kysely)
  return row === undefined ? null : toUser(row)
}

export async function findUserByName(db: Db, { folded, spelled }: NameKeys): Promise<UserRecord | null> {
  const {
    rows: [row],
  } = await sql<UserRecord>`
    select ${userColumns} from ${table(db, 'users')} u where ${hasKey('u', 'normalized_user_name', folded)}
    order by ${spelledFirst('u', 'normalized_user_name', spelled)} limit 1`.execute(db.kysely)
  return row === undefined ? null : toUser(row)
}

export async function findUserByEmail(db: Db, email: NameKeys): Promise<UserRecord | null> {
  const [user, second] = await findUsersByEmail(db, email, 2)
  if (second !== undefined)
    throw new Error('Several users have this e-mail address; set user.requireUniqueEmail or look up by name')
  return user ?? null
}

/**
 * The users who share an address: those who have confirmed it first, then the oldest; at most `limit`. Where two addresses were unique until
 * letters beyond ASCII were folded, the one that is spelled so is meant.
 */
export async function findUsersByEmail(db: Db, { folded, spelled }: NameKeys, limit: number): Promise<UserRecord[]> {
  const users = table(db, 'users')
  const isMeant = isBeyondAscii(folded)
    ? sql`(u.normalized_email = ${spelled} or not exists (select 1 from ${users} other where other.unique_email = ${spelled}))`
    : sql`true`
  const { rows } = await sql<UserRecord>`
    select ${userColumns} from ${users} u where ${hasKey('u', 'normalized_email', folded)} and ${isMeant}
    order by u.email_confirmed desc, u.id limit ${limit}`.execute(db.kysely)
  return rows.map(toUser)
}

/**
 * Writes a new user; false when the name (or an address that must be unique) is taken.
 *
 * @param mail written in the same statement, and only with the user
 */
export async function insertUser(
  db: Db,
  user: UserRecord,
  uniqueEmail: string | null,
  mail?: OutboxRecord,
): Promise<boolean> {
  const insert = (kysely: Pick<Db['kysely'], 'insertInto'>) =>
    kysely
      .insertInto('users')
      .values({ id: user.id, ...changing(user, uniqueEmail), created_at: user.createdAt })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
  if (mail === undefined) return (await insert(db.kysely).executeTakeFirst()) !== undefined
  const inserted = await db.kysely
    .with('created', insert)
    .with('mailed', (kysely) =>
      kysely
        .insertInto('outbox')
        .columns(['id', 'user_id', 'kind', 'sealed', 'created_at', 'due_at'])
        .expression((outer) => outer.selectFrom('created').select(mailValues(mail)))
        .returning('id as mail_id'),
    )
    .selectFrom('created')
    .select('id')
    .executeTakeFirst()
  return inserted !== undefined
}

/** Which of a new user's names are taken, for the error message. */
export async function findTaken(
  db: Db,
  normalizedName: string,
  uniqueEmail: string | null,
  exceptId: string,
): Promise<{ name: boolean; email: boolean }> {
  const hasName = hasKey('u', 'normalized_user_name', normalizedName)
  const hasEmail = uniqueEmail === null ? sql<boolean>`false` : hasKey('u', 'normalized_email', uniqueEmail)
  const { rows } = await sql<{ name: boolean; email: boolean }>`
    select ${hasName} as name, coalesce(${hasEmail}, false) as email from ${table(db, 'users')} u
    where u.id <> ${exceptId} and (${hasName} or ${hasEmail}) limit 3`.execute(db.kysely)
  return { name: rows.some(({ name }) => name), email: rows.some(({ email }) => email) }
}

/**
 * The owners of a user's names: the owner of the name first, then those who have confirmed the address; a few at
 * most.
 */
export async function findOwners(
  db: Db,
  user: Pick<UserRecord, 'id' | 'userName' | 'normalizedUserName' | 'email'>,
  uniqueEmail: string | null,
): Promise<UserRecord[]> {
  const hasName = hasKey('u', 'normalized_user_name', user.normalizedUserName)
  const hasEmail = uniqueEmail === null ? sql<boolean>`false` : hasKey('u', 'normalized_email', uniqueEmail)
  const isSpelledSo = sql`(u.normalized_user_name = ${spelled(user.userName)} or u.normalized_email is not distinct from ${spelled(user.email)})`
  const { rows } = await sql<UserRecord>`
    select ${userColumns} from ${table(db, 'users')} u
    where u.id <> ${user.id} and (${hasName} or ${hasEmail})
    order by coalesce(${hasName}, false) desc, ${isSpelledSo} desc, u.email_confirmed desc, u.id limit 3`.execute(
    db.kysely,
  )
  return rows.map(toUser)
}

/**
 * Writes all of a user's own columns unless the row was changed since it was read.
 * @param uniqueEmail the value for the unique index of addresses; undefined leaves it unchanged
 * @returns false when the concurrency stamp no longer matches, or the user is gone
 */
export async function updateUser(
  db: Db,
  user: UserRecord,
  expectedConcurrencyStamp: string,
  uniqueEmail: string | null | undefined,
): Promise<boolean> {
  return (await userUpdate(db, user, expectedConcurrencyStamp, uniqueEmail).executeTakeFirst()) !== undefined
}

/** The same as a query, also for a part of another statement. */
export function userUpdate(
  db: Db,
  user: UserRecord,
  expectedConcurrencyStamp: string,
  uniqueEmail: string | null | undefined,
) {
  return db.kysely
    .updateTable('users')
    .set({ ...changing(user, uniqueEmail), ...ranks(user) })
    .where('id', '=', user.id)
    .where('concurrency_stamp', '=', expectedConcurrencyStamp)
    .returning('id')
}

/** A user's own columns, except those that never change; an undefined `uniqueEmail` leaves its column unchanged. */
function changing(user: UserRecord, uniqueEmail: string | null | undefined) {
  return {
    user_name: user.userName,
    normalized_user_name: spelled(user.userName) ?? '',
    email: user.email,
    normalized_email: spelled(user.email),
    ...(uniqueEmail === undefined ? {} : { unique_email: uniqueEmail === null ? null : spelled(user.email) }),
    email_confirmed: user.emailConfirmed,
    password_hash: user.passwordHash,
    security_stamp: user.securityStamp,
    concurrency_stamp: user.concurrencyStamp,
    phone_number: user.phoneNumber,
    phone_number_confirmed: user.phoneNumberConfirmed,
    two_factor_enabled: user.twoFactorEnabled,
    lockout_enabled: user.lockoutEnabled,
    lockout_end: user.lockoutEnd,
    profile: JSON.stringify(user.profile),
  }
}

function spelled(text: string | null): string | null {
  return text === null ? null : (nameKeys(text)?.spelled ?? null)
}

/** A rank tells apart those who were two before letters beyond ASCII were folded. It ends with the name. */
function ranks(user: UserRecord) {
  return {
    name_rank: sql<number>`case when folded_user_name = ${user.normalizedUserName} then name_rank else 0 end`,
    email_rank: sql<number>`case when folded_email = ${user.normalizedEmail} then email_rank else 0 end`,
  }
}

/**
 * Locks a user's row until the transaction ends, so that no session opens meanwhile; false when it is gone or was
 * changed.
 */
export async function lockUser(trx: Trx, id: string, expectedConcurrencyStamp: string): Promise<boolean> {
  const locked = await trx.kysely
    .selectFrom('users')
    .select('id')
    .where('id', '=', id)
    .where('concurrency_stamp', '=', expectedConcurrencyStamp)
    .forUpdate()
    .executeTakeFirst()
  return locked !== undefined
}

/**
 * Deletes a user with all belongings; the caller has locked the row and revoked its sessions in the same transaction.
 */
export async function deleteUser(trx: Trx, id: string): Promise<void> {
  await trx.kysely.deleteFrom('users').where('id', '=', id).execute()
}

/**
 * Replaces a password hash by another one of the same password, with a new stamp; false when the password was changed
 * meanwhile.
 */
export async function replacePasswordHash(
  db: Db,
  user: Pick<UserRecord, 'id' | 'passwordHash' | 'securityStamp'>,
  next: Pick<UserRecord, 'securityStamp' | 'concurrencyStamp'> & { readonly passwordHash: string },
): Promise<boolean> {
  const { rows } = await sql`
    with written as (
      update ${table(db, 'users')} set password_hash = ${next.passwordHash}, security_stamp = ${next.securityStamp},
        concurrency_stamp = ${next.concurrencyStamp}::uuid
      where id = ${user.id} and password_hash = ${user.passwordHash} and security_stamp = ${user.securityStamp} returning id),
    kept as (
      update ${table(db, 'sessions')} set security_stamp = ${next.securityStamp}
      where user_id in (select id from written) and coalesce(security_stamp, ${user.securityStamp}) = ${user.securityStamp})
    select id from written`.execute(db.kysely)
  return rows.length === 1
}

/** Confirms an address while the stamp is the one of its code; null when it is not. */
export async function confirmUserEmail(
  db: Db,
  id: string,
  securityStamp: string,
  concurrencyStamp: string,
): Promise<(Pick<UserRecord, 'emailConfirmed' | 'concurrencyStamp'> & { readonly change: ClaimChange }) | null> {
  const {
    rows: [row],
  } = await sql<ClaimChange>`
    with confirmed as (
      update ${table(db, 'users')} set email_confirmed = true, concurrency_stamp = ${concurrencyStamp}::uuid
      where id = ${id} and security_stamp = ${securityStamp} returning id),
    changed as (${noteClaims(db, sql`select 'u:' || id from confirmed`)})
    select subject, mark, at from changed`.execute(db.kysely)
  return row === undefined ? null : { emailConfirmed: true, concurrencyStamp, change: row }
}

/** A user with roles and claims, as a new ticket needs them. */
export async function findUserWithGrants(db: Db, id: string): Promise<UserWithGrants | null> {
  const {
    rows: [row],
  } = await sql<UserRow>`
    select ${userColumns}, ${grantColumns(db)} from ${table(db, 'users')} u where u.id = ${id}`.execute(db.kysely)
  return row === undefined ? null : withGrants(row)
}

// A row's `lockoutEnd` is set by a host only. Wrong passwords lock a name, not a row, and leave sessions alone; see attempts.ts.
/** Up to and including `lockoutEnd`, as in the reference. */
export function isLockedByHand(
  { lockoutEnabled, lockoutEnd }: Pick<UserRecord, 'lockoutEnabled' | 'lockoutEnd'>,
  now: number,
): boolean {
  return lockoutEnabled && lockoutEnd !== null && lockoutEnd.getTime() >= now
}
