// Passkeys as registered by a ceremony (WebAuthn Level 3 §4, credential record). No signature is checked here.
import { sql } from 'kysely'
import { type Db, table, type Trx } from './db.js'
import { toUser, userColumns, type UserRecord } from './users.js'

/** A registered passkey (WebAuthn Level 3 §4, credential record). */
export interface Passkey {
  /** 1 to 1,023 bytes. */
  readonly credentialId: Uint8Array
  /** The COSE key. */
  readonly publicKey: Uint8Array
  /** The owner's name for it; at most 256 characters. */
  readonly name: string | null
  /** When it was registered. */
  readonly createdAt: Date
  /** An unsigned 32-bit number. */
  readonly signCount: number
  /** How the authenticator can be reached: `internal`, `usb`, `hybrid` and so on. */
  readonly transports: readonly string[]
  /** Whether the user was verified when it was registered or used last. */
  readonly isUserVerified: boolean
  /** Whether it may be synced to other devices. */
  readonly isBackupEligible: boolean
  /** Whether it is synced to other devices. */
  readonly isBackedUp: boolean
  /** The attestation object of the registration. */
  readonly attestationObject: Uint8Array
  /** The client data of the registration, as JSON bytes. */
  readonly clientDataJson: Uint8Array
}

const passkeyColumns = sql`
  p.credential_id as "credentialId", p.public_key as "publicKey", p.name, p.created_at as "createdAt", p.sign_count as "signCount",
  p.transports, p.is_user_verified as "isUserVerified", p.is_backup_eligible as "isBackupEligible", p.is_backed_up as "isBackedUp",
  p.attestation_object as "attestationObject", p.client_data_json as "clientDataJson"`

type PasskeyRow = Omit<Passkey, 'signCount'> & { signCount: string | number }

// A bigint is read as text, a timestamp in the form of the host's pg.
function toPasskey(row: PasskeyRow): Passkey {
  return { ...row, signCount: Number(row.signCount), createdAt: new Date(row.createdAt) }
}

/** In the order in which they were made. */
export async function listPasskeys(db: Db, userId: string): Promise<Passkey[]> {
  const { rows } = await sql<PasskeyRow>`
    select ${passkeyColumns} from ${table(db, 'user_passkeys')} p where p.user_id = ${userId} order by p.created_at, p.credential_id`.execute(
    db.kysely,
  )
  return rows.map(toPasskey)
}

export async function findPasskey(db: Db, userId: string, credentialId: Uint8Array): Promise<Passkey | null> {
  const {
    rows: [row],
  } = await sql<PasskeyRow>`
    select ${passkeyColumns} from ${table(db, 'user_passkeys')} p
    where p.credential_id = ${Buffer.from(credentialId)} and p.user_id = ${userId}`.execute(db.kysely)
  return row === undefined ? null : toPasskey(row)
}

export async function findUserByPasskey(db: Db, credentialId: Uint8Array): Promise<UserRecord | null> {
  const {
    rows: [row],
  } = await sql<UserRecord>`
    select ${userColumns} from ${table(db, 'user_passkeys')} p join ${table(db, 'users')} u on u.id = p.user_id
    where p.credential_id = ${Buffer.from(credentialId)}`.execute(db.kysely)
  return row === undefined ? null : toUser(row)
}

/**
 * Writes a passkey, or the mutable members of one that this user has: name, count, and the two flags. False when it
 * is another user's.
 */
export async function putPasskey(trx: Trx, userId: string, passkey: Passkey): Promise<boolean> {
  const { rows } = await sql`
    insert into ${table(trx, 'user_passkeys')} as p (
      credential_id, user_id, name, public_key, sign_count, transports, is_user_verified, is_backup_eligible, is_backed_up,
      attestation_object, client_data_json, created_at)
    values (
      ${Buffer.from(passkey.credentialId)}, ${userId}, ${passkey.name}, ${Buffer.from(passkey.publicKey)}, ${passkey.signCount},
      ${passkey.transports}::text[], ${passkey.isUserVerified}, ${passkey.isBackupEligible}, ${passkey.isBackedUp},
      ${Buffer.from(passkey.attestationObject)}, ${Buffer.from(passkey.clientDataJson)}, ${passkey.createdAt})
    on conflict (credential_id) do update set
      name = excluded.name, sign_count = excluded.sign_count, is_user_verified = excluded.is_user_verified, is_backed_up = excluded.is_backed_up
    where p.user_id = excluded.user_id
    returning 1`.execute(trx.kysely)
  return rows.length === 1
}

/** Takes a passkey away; false where the user has none of this id. */
export async function deletePasskey(trx: Trx, userId: string, credentialId: Uint8Array): Promise<boolean> {
  const { numDeletedRows } = await trx.kysely
    .deleteFrom('user_passkeys')
    .where('credential_id', '=', Buffer.from(credentialId))
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return numDeletedRows > 0n
}
