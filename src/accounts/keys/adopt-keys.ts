// The one-time step from a database without a root secret to one with it: wraps the keys that an application has made without one.
import { loadKeys, rewrapKey } from '../../store/keys.js'
import type { Db } from '../../store/db.js'
import { inTransaction } from '../../store/transaction.js'
import { wrapRoot } from '../../tokens/key-ring.js'

/** The keys that are not wrapped. */
export async function unwrappedKeys(db: Db): Promise<readonly { readonly id: string; readonly createdAt: number }[]> {
  return (await loadKeys(db)).filter(({ wrapped }) => !wrapped).map(({ id, createdAt }) => ({ id, createdAt }))
}

/** Wraps the named keys under a secret, in one transaction. Tokens and second factors stay valid. */
export function adoptKeys(db: Db, secret: string, ids: readonly string[]): Promise<void> {
  return inTransaction(db, async (trx) => {
    for (const { id, root, wrapped } of await loadKeys(trx)) {
      if (!wrapped && ids.includes(id)) await rewrapKey(trx, id, root, wrapRoot(secret, Number.parseInt(id, 16), root))
    }
  })
}
