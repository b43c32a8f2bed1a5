// The tables as the queries see them. A row is not the domain's user: src/accounts/ gets values with names of their
// own.
import type { ColumnType, Generated, GeneratedAlways } from 'kysely'

type Timestamp = ColumnType<Date, Date, Date>
type NullableTimestamp = ColumnType<Date | null, Date | null, Date | null>

export interface UsersTable {
  id: string
  user_name: string
  normalized_user_name: string
  email: string | null
  normalized_email: string | null
  unique_email: string | null
  folded_user_name: GeneratedAlways<string | null>
  folded_email: GeneratedAlways<string | null>
  name_rank: Generated<number>
  email_rank: Generated<number>
  email_confirmed: boolean
  password_hash: string | null
  security_stamp: string
  concurrency_stamp: string
  phone_number: string | null
  phone_number_confirmed: boolean
  two_factor_enabled: boolean
  totp_last_step: Generated<number>
  lockout_enabled: boolean
  lockout_end: NullableTimestamp
  profile: ColumnType<Record<string, unknown>, string, string>
  created_at: Timestamp
}

export interface RolesTable {
  id: string
  name: string
  normalized_name: string
  folded_name: GeneratedAlways<string | null>
  name_rank: Generated<number>
  concurrency_stamp: string
}

export interface ClaimsTable {
  id: string
  type: string
  value: string
}

export interface SessionsTable {
  id: string
  user_id: string
  counter: Generated<number>
  rotated_at: NullableTimestamp
  created_at: Timestamp
  last_seen_at: Timestamp
  expires_at: Timestamp
  amr: string[]
  client: string | null
  /** The security stamp of the user under which it was opened or last kept; null in sessions of before migration 0003. */
  security_stamp: string | null
  method: string | null
  address: string | null
  claims: ColumnType<{ type: string; value: string }[], string | undefined, string>
}

export interface KeysTable {
  id: string
  purpose: string
  /** An integer, which some clusters make a bigint, which drivers read as text; so the others that are read. */
  generation: ColumnType<number | string, number, number>
  root: Buffer
  wrapped: boolean
  created_at: Timestamp
  activates_at: Timestamp
  retires_at: NullableTimestamp
  revoked_at: NullableTimestamp
}

export interface AttemptsTable {
  key: Buffer
  failures: Generated<number>
  total_failures: Generated<number>
  locks: Generated<number>
  pending_at: Timestamp
  locked_until: NullableTimestamp
  reservations: Generated<Record<string, number>>
  has_user: Generated<boolean>
  lapses_at: Timestamp
  expires_at: Timestamp
}

export interface OutboxTable {
  id: string
  user_id: string | null
  kind: string
  sealed: string
  created_at: Timestamp
  due_at: Timestamp
  attempts: Generated<number>
  failed_at: NullableTimestamp
}

export interface PasskeysTable {
  credential_id: Buffer
  user_id: string
  name: string | null
  public_key: Buffer
  /** An unsigned 32-bit number in a bigint column, which drivers read as text. */
  sign_count: ColumnType<string | number, number, number>
  transports: string[]
  is_user_verified: boolean
  is_backup_eligible: boolean
  is_backed_up: boolean
  attestation_object: Buffer
  client_data_json: Buffer
  created_at: Timestamp
}

export interface Tables {
  users: UsersTable
  roles: RolesTable
  user_roles: { user_id: string; role_id: string }
  user_claims: ClaimsTable & { user_id: string }
  role_claims: ClaimsTable & { role_id: string }
  user_logins: { login_provider: string; provider_key: string; provider_display_name: string | null; user_id: string }
  user_tokens: { user_id: string; login_provider: string; name: string; value: string | null }
  user_passkeys: PasskeysTable
  recovery_codes: { user_id: string; code_hash: Buffer }
  sessions: SessionsTable
  revocations: { session_id: string; revoked_at: Timestamp; cause: string | null }
  claim_changes: { subject: string; mark: string; changed_at: Timestamp }
  keys: KeysTable
  attempts: AttemptsTable
  outbox: OutboxTable
}
