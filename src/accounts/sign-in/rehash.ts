// A stored hash of weaker parameters than today's, replaced at a sign-in: only then is the password known.
import type { QueuedHasher } from '../../passwords/hasher.js'
import type { Db } from '../../store/db.js'
import { findUserWithGrants, replacePasswordHash, type UserWithGrants } from '../../store/users.js'
import { newConcurrencyStamp, newStamp } from '../../tokens/stamp.js'

/**
 * Stores the password under today's parameters; as in the reference this rotates the security stamp, and sessions go on under the new one.
 *
 * @returns the user as stored now; null when the password has been changed meanwhile
 */
export async function rehash(
  db: Db,
  hasher: Pick<QueuedHasher, 'hash' | 'verify'>,
  found: UserWithGrants,
  password: string,
): Promise<UserWithGrants | null> {
  const { user } = found
  const passwordHash = await hasher.hash(password)
  const next = { passwordHash, securityStamp: newStamp(), concurrencyStamp: newConcurrencyStamp() }
  if (await replacePasswordHash(db, user, next)) return { ...found, user: { ...user, ...next } }
  // A parallel sign-in was first, or the password was changed: the stored hash decides.
  const now = await findUserWithGrants(db, user.id)
  return now !== null && (await hasher.verify(now.user.passwordHash, password)) !== 'no' ? now : null
}
