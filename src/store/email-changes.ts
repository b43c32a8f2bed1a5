// The latest change of address of each user, so that of two mailed links only the second works. It lies among the user's tokens, as the used
// codes do: one row for each user, with the state, the time of issue in seconds, and the hash of the code.
import { sql } from 'kysely'
import { usedCodesProvider } from './second-factors.js'
import { type Db, table } from './db.js'
import { hasKey } from './name-keys.js'

export interface EmailChange {
  readonly userId: string
  /** Base64url, without blanks. */
  readonly codeHash: string
  /** Whole seconds. */
  readonly issuedAt: number
}

const name = 'EmailChange'
const issuedAtOf = sql`split_part(t.value, ' ', 2)::bigint`
const hashOf = sql`split_part(t.value, ' ', 3)`

/** Makes this code the only one that counts. The time never goes back, whichever instance's clock is ahead. */
export async function requestEmailChange(db: Db, { userId, codeHash, issuedAt }: EmailChange): Promise<void> {
  await sql`
    insert into ${table(db, 'user_tokens')} as t (user_id, login_provider, name, value)
    values (${userId}, ${usedCodesProvider}, ${name}, ${`requested ${issuedAt} ${codeHash}`})
    on conflict (user_id, login_provider, name) do update
    set value = 'requested ' || greatest(${issuedAtOf}, ${issuedAt}::bigint)::text || ' ' || ${codeHash}::text`.execute(
    db.kysely,
  )
}

/**
 * Marks a code as used; false when another one was requested after it. A code that was never requested here, such as a host's own, counts
 * unless a request came after it.
 */
export async function useEmailChange(db: Db, { userId, codeHash, issuedAt }: EmailChange): Promise<boolean> {
  const { rows } = await sql`
    insert into ${table(db, 'user_tokens')} as t (user_id, login_provider, name, value)
    values (${userId}, ${usedCodesProvider}, ${name}, ${`used ${issuedAt} ${codeHash}`})
    on conflict (user_id, login_provider, name) do update set value = excluded.value
    where ${hashOf} = ${codeHash} or starts_with(t.value, 'used ') or ${issuedAtOf} < ${issuedAt}::bigint
    returning 1`.execute(db.kysely)
  return rows.length === 1
}

/** Whether this code was the last to change the address, and the user still has the address. */
export async function wasEmailChanged(
  db: Db,
  { userId, codeHash }: EmailChange,
  normalizedEmail: string,
): Promise<boolean> {
  const { rows } = await sql`
    select 1 from ${table(db, 'user_tokens')} t join ${table(db, 'users')} u on u.id = t.user_id
    where t.user_id = ${userId} and t.login_provider = ${usedCodesProvider} and t.name = ${name}
      and starts_with(t.value, 'used ') and ${hashOf} = ${codeHash}
      and ${hasKey('u', 'normalized_email', normalizedEmail)} and u.email_confirmed`.execute(db.kysely)
  return rows.length === 1
}
