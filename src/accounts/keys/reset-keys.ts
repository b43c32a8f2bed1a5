// The root secret is lost: a new ring instead of the old one, and an end to everything that only the old one can open.
import type { Clock } from '../../clock.js'
import { countSealed, deleteSealed, type SealedCounts } from '../../store/sealed.js'
import type { Db } from '../../store/db.js'
import { inTransaction } from '../../store/transaction.js'
import { makeKey } from './make-key.js'

/** What a reset takes away. */
export const countLosses: (db: Db) => Promise<SealedCounts> = countSealed

/**
 * Replaces the ring, and deletes what was sealed under it, in one transaction: sessions, waiting mail, second factors, tokens of other systems,
 * and counted failures. Passwords, addresses, roles and claims stay.
 *
 * @param secret the new root secret; undefined leaves the keys unwrapped
 * @returns what was deleted
 */
export function resetKeys(db: Db, secret: string | undefined, clock: Clock): Promise<SealedCounts> {
  return inTransaction(db, async (trx) => {
    const counts = await deleteSealed(trx)
    const now = clock()
    for (const purpose of ['token', 'vault'] as const) {
      await makeKey(trx, secret, { purpose, generation: 1, createdAt: now, activatesAt: now })
    }
    return counts
  })
}
