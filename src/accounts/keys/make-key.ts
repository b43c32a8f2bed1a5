// A new key for the ring, wrapped where there is a root secret.
import { insertKey, type KeyRecord } from '../../store/keys.js'
import type { Db } from '../../store/db.js'
import { newRootKey, wrapRoot } from '../../tokens/key-ring.js'

/** False when another instance has made the key of this generation. */
export function makeKey(
  db: Db,
  secret: string | undefined,
  key: Pick<KeyRecord, 'purpose' | 'generation' | 'createdAt' | 'activatesAt'>,
): Promise<boolean> {
  const { id, root } = newRootKey()
  return insertKey(db, {
    ...key,
    id: hex(id),
    root: secret === undefined ? Buffer.from(root) : wrapRoot(secret, id, root),
    wrapped: secret !== undefined,
    retiresAt: null,
    revokedAt: null,
  })
}

/** A key id as text: eight hexadecimal digits. */
export function hex(id: number): string {
  return id.toString(16).padStart(8, '0')
}
