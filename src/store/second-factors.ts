// Authenticator keys and recovery codes, already sealed and hashed. They are stored where the reference stores them,
// which keeps plain text.
import { sql } from 'kysely'
import { type Db, table, type Trx } from './db.js'

/** The place of the key among a user's tokens, as in the reference. */
export const authenticatorKeyPlace = { loginProvider: '[AspNetUserStore]', name: 'AuthenticatorKey' } as const

/** The sealed key of the user `u`, as a column of another query. */
export function authenticatorKeyColumn(db: Db) {
  return sql`(select ut.value from ${table(db, 'user_tokens')} ut where ut.user_id = u.id
    and ut.login_provider = ${authenticatorKeyPlace.loginProvider} and ut.name = ${authenticatorKeyPlace.name}) as "authenticatorKey"`
}

export async function findUserToken(
  db: Db,
  userId: string,
  loginProvider: string,
  name: string,
): Promise<string | null> {
  const row = await db.kysely
    .selectFrom('user_tokens')
    .select('value')
    .where('user_id', '=', userId)
    .where('login_provider', '=', loginProvider)
    .where('name', '=', name)
    .executeTakeFirst()
  return row?.value ?? null
}

export async function putUserToken(
  db: Db,
  userId: string,
  loginProvider: string,
  name: string,
  value: string | null,
): Promise<void> {
  await db.kysely
    .insertInto('user_tokens')
    .values({ user_id: userId, login_provider: loginProvider, name, value })
    .onConflict((conflict) => conflict.columns(['user_id', 'login_provider', 'name']).doUpdateSet({ value }))
    .execute()
}

export async function deleteUserToken(db: Db, userId: string, loginProvider: string, name: string): Promise<void> {
  await db.kysely
    .deleteFrom('user_tokens')
    .where('user_id', '=', userId)
    .where('login_provider', '=', loginProvider)
    .where('name', '=', name)
    .execute()
}

/** The place of a provider's last used code among a user's tokens. */
export const usedCodesProvider = '[Identity]'

/**
 * Marks the code of a step as used; false when it, or a later one under the same stamp, was used before.
 * @param stampMark codes under another stamp are other codes
 */
export async function useStampCode(
  db: Db,
  userId: string,
  provider: string,
  stampMark: string,
  step: number,
): Promise<boolean> {
  const { rows } = await sql`
    insert into ${table(db, 'user_tokens')} as t (user_id, login_provider, name, value)
    values (${userId}, ${usedCodesProvider}, ${provider}, ${`${stampMark}:${step}`})
    on conflict (user_id, login_provider, name) do update set value = excluded.value
    where split_part(t.value, ':', 1) <> ${stampMark} or split_part(t.value, ':', 2)::bigint < ${step}
    returning 1`.execute(db.kysely)
  return rows.length === 1
}

/** Deletes the authenticator key and the recovery codes. */
export async function deleteSecondFactors(trx: Trx, userId: string): Promise<void> {
  await deleteUserToken(trx, userId, authenticatorKeyPlace.loginProvider, authenticatorKeyPlace.name)
  await trx.kysely.deleteFrom('recovery_codes').where('user_id', '=', userId).execute()
  await forgetTotpSteps(trx, userId)
}

/** Marks a step as used; false when it, or a later one, was used before (RFC 6238 §5.2). */
export async function useTotpStep(db: Db, userId: string, step: number): Promise<boolean> {
  const { rows } = await sql`
    update ${table(db, 'users')} set totp_last_step = ${step} where id = ${userId} and totp_last_step < ${step} returning id`.execute(
    db.kysely,
  )
  return rows.length === 1
}

/** Resets the used steps for a new key. */
export async function forgetTotpSteps(db: Db, userId: string): Promise<void> {
  await sql`update ${table(db, 'users')} set totp_last_step = 0 where id = ${userId}`.execute(db.kysely)
}

export async function replaceRecoveryCodes(trx: Trx, userId: string, hashes: readonly Buffer[]): Promise<void> {
  // In sequence: beside another replacement, a delete alone would not see the codes that the other one is writing.
  await trx.kysely.selectFrom('users').select('id').where('id', '=', userId).forUpdate().execute()
  await trx.kysely.deleteFrom('recovery_codes').where('user_id', '=', userId).execute()
  if (hashes.length === 0) return
  await trx.kysely
    .insertInto('recovery_codes')
    .values(hashes.map((hash) => ({ user_id: userId, code_hash: hash })))
    .execute()
}

/** Uses a code up; false when there is no such code any more. */
export async function redeemRecoveryCode(db: Db, userId: string, hash: Buffer): Promise<boolean> {
  const deleted = await db.kysely
    .deleteFrom('recovery_codes')
    .where('user_id', '=', userId)
    .where('code_hash', '=', hash)
    .returning('user_id')
    .executeTakeFirst()
  return deleted !== undefined
}

export async function countRecoveryCodes(db: Db, userId: string): Promise<number> {
  const { count } = await db.kysely
    .selectFrom('recovery_codes')
    .where('user_id', '=', userId)
    .select((select) => select.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}
