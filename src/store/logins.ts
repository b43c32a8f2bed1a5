// Logins of other systems: the user's identity there, and the user here. A login belongs to one user; the primary key
// guarantees it.
import { sql } from 'kysely'
import { type Db, table, type Trx } from './db.js'
import { toUser, userColumns, type UserRecord } from './users.js'

/** An identity of a user at another system. */
export interface UserLogin {
  /** For example `google`. */
  readonly loginProvider: string
  /** The user's identity at the provider: its id, never an address that may change hands. */
  readonly providerKey: string
  /** The provider's name for display. */
  readonly providerDisplayName: string | null
}

export async function findUserByLogin(db: Db, loginProvider: string, providerKey: string): Promise<UserRecord | null> {
  const {
    rows: [row],
  } = await sql<UserRecord>`
    select ${userColumns} from ${table(db, 'user_logins')} l join ${table(db, 'users')} u on u.id = l.user_id
    where l.login_provider = ${loginProvider} and l.provider_key = ${providerKey}`.execute(db.kysely)
  return row === undefined ? null : toUser(row)
}

export function listLogins(db: Db, userId: string): Promise<UserLogin[]> {
  return db.kysely
    .selectFrom('user_logins')
    .select([
      'login_provider as loginProvider',
      'provider_key as providerKey',
      'provider_display_name as providerDisplayName',
    ])
    .where('user_id', '=', userId)
    .orderBy('login_provider')
    .orderBy('provider_key')
    .execute()
}

/** Writes a login; false when any user has it. */
export async function insertLogin(trx: Trx, userId: string, login: UserLogin): Promise<boolean> {
  const inserted = await trx.kysely
    .insertInto('user_logins')
    .values({
      login_provider: login.loginProvider,
      provider_key: login.providerKey,
      provider_display_name: login.providerDisplayName,
      user_id: userId,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('user_id')
    .executeTakeFirst()
  return inserted !== undefined
}

/** Takes a login away; false where the user has none of this key. */
export async function deleteLogin(
  trx: Trx,
  userId: string,
  loginProvider: string,
  providerKey: string,
): Promise<boolean> {
  const { numDeletedRows } = await trx.kysely
    .deleteFrom('user_logins')
    .where('user_id', '=', userId)
    .where('login_provider', '=', loginProvider)
    .where('provider_key', '=', providerKey)
    .executeTakeFirst()
  return numDeletedRows > 0n
}
