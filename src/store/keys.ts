// Rows of the key ring. Roots are bytes here, wrapped or not: this file never sees the root secret.
import { sql } from 'kysely'
import { type Db, table } from './db.js'

/** `token` keys seal tickets and codes and are rotated; the one `vault` key seals what stays in the database. */
export type KeyPurpose = 'token' | 'vault'

/** Times are milliseconds since the epoch. */
export interface KeyRecord {
  /** Eight hexadecimal digits: the key id in the head of each token. */
  readonly id: string
  readonly purpose: KeyPurpose
  readonly generation: number
  readonly root: Buffer
  readonly wrapped: boolean
  readonly createdAt: number
  readonly activatesAt: number
  readonly retiresAt: number | null
  readonly revokedAt: number | null
}

export async function loadKeys(db: Db): Promise<KeyRecord[]> {
  const rows = await db.kysely.selectFrom('keys').selectAll().orderBy('purpose').orderBy('generation').execute()
  return rows.map((row) => ({
    id: row.id,
    purpose: row.purpose === 'vault' ? 'vault' : 'token',
    generation: Number(row.generation),
    root: row.root,
    wrapped: row.wrapped,
    createdAt: new Date(row.created_at).getTime(),
    activatesAt: new Date(row.activates_at).getTime(),
    retiresAt: row.retires_at === null ? null : new Date(row.retires_at).getTime(),
    revokedAt: row.revoked_at === null ? null : new Date(row.revoked_at).getTime(),
  }))
}

/** Adds a key as the next generation; false when another instance was first. */
export async function insertKey(db: Db, key: KeyRecord): Promise<boolean> {
  const inserted = await db.kysely
    .insertInto('keys')
    .values({
      id: key.id,
      purpose: key.purpose,
      generation: key.generation,
      root: key.root,
      wrapped: key.wrapped,
      created_at: new Date(key.createdAt),
      activates_at: new Date(key.activatesAt),
      retires_at: key.retiresAt === null ? null : new Date(key.retiresAt),
      revoked_at: key.revokedAt === null ? null : new Date(key.revokedAt),
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted !== undefined
}

/** Replaces a root by the same root under another wrapping. */
export async function rewrapKey(db: Db, id: string, current: Buffer, next: Buffer): Promise<void> {
  await sql`update ${table(db, 'keys')} set root = ${next}, wrapped = true where id = ${id} and root = ${current}`.execute(
    db.kysely,
  )
}

/** Sets when a key stops opening, never earlier than is set already. */
export async function retireKey(db: Db, id: string, retiresAt: number): Promise<void> {
  const at = sql`${new Date(retiresAt)}::timestamptz`
  await sql`update ${table(db, 'keys')} set retires_at = ${at} where id = ${id} and coalesce(retires_at, '-infinity') < ${at}`.execute(
    db.kysely,
  )
}

/** Revokes one token key, or all of them; returns how many were revoked now. */
export async function revokeKeys(db: Db, id: string | null): Promise<number> {
  const { rows } = await sql`
    update ${table(db, 'keys')} set revoked_at = ${db.now()}
    where purpose = 'token' and revoked_at is null and (${id}::text is null or id = ${id}) returning id`.execute(
    db.kysely,
  )
  return rows.length
}
