// Whether an administrator's lock holds: a row's `lockoutEnd`, which only a host sets. Wrong passwords lock a name,
// not a row, and leave sessions alone; see src/store/attempts.ts.
import type { UserRecord } from '../../store/users.js'

/** Up to and including `lockoutEnd`, as in the reference. */
export function isLockedByHand(
  { lockoutEnabled, lockoutEnd }: Pick<UserRecord, 'lockoutEnabled' | 'lockoutEnd'>,
  now: number,
): boolean {
  return lockoutEnabled && lockoutEnd !== null && lockoutEnd.getTime() >= now
}
