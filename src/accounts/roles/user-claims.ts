// Claims that a user has of their own. A change counts within a second on every instance, also for tickets of before.
import { failed, type IdentityResult } from '../../errors.js'
import {
  type ClaimOwner,
  deleteClaims,
  insertClaims,
  listClaims,
  listUsersWithClaim,
  replaceClaim,
} from '../../store/claims.js'
import type { Trx } from '../../store/db.js'
import type { Claim } from '../../store/users.js'
import { newUuidV7 } from '../../tokens/stamp.js'
import { type AccountContext, changeUser } from '../users/change-user.js'
import type { PageOptions } from '../../page.js'
import { type UserPage, userPage } from '../users/page.js'
import { isStorable } from '../users/storable.js'
import type { User } from '../users/user.js'

/**
 * Claims of users. No method of it rotates the stamp or ends a session; all but the getters may return
 * ConcurrencyFailure.
 */
export interface ClaimManager {
  /** Adds a claim, even one that the user has. @returns DefaultError for a claim that does not fit, see `addClaims` */
  addClaim(user: User, claim: Claim): Promise<IdentityResult>
  /** Adds claims, all or none. @returns DefaultError when type and value of one have more than 2,048 bytes, hold a NUL, or the type is empty */
  addClaims(user: User, claims: readonly Claim[]): Promise<IdentityResult>
  /**
   * Replaces every occurrence of a claim; does nothing when the user does not have it. @returns DefaultError as
   * `addClaims`
   */
  replaceClaim(user: User, claim: Claim, newClaim: Claim): Promise<IdentityResult>
  /** Removes every occurrence of a claim. */
  removeClaim(user: User, claim: Claim): Promise<IdentityResult>
  /** Removes every occurrence of each of these claims. */
  removeClaims(user: User, claims: readonly Claim[]): Promise<IdentityResult>
  /** The user's own claims in the order of their addition, to the millisecond, without those of roles. */
  getClaims(user: User): Promise<readonly Claim[]>
  /** Users with this claim of their own, compared exactly, in the order of their ids. */
  getUsersForClaim(claim: Claim, options?: PageOptions): Promise<UserPage>
}

// The limit of a ticket, and of an entry of the index of claims (2,704 bytes).
const maxClaimBytes = 2048

export function createClaimManager(context: AccountContext): ClaimManager {
  const { db, clock, describe } = context
  const refused = failed(describe, [{ code: 'DefaultError' }])

  async function addClaims(user: User, claims: readonly Claim[]): Promise<IdentityResult> {
    if (!claims.every(isCarriable)) return refused
    return changeUser(context, user, {}, { also: (trx) => writeClaims(trx, { userId: user.id }, claims, clock()) })
  }
  const removeClaims = (user: User, claims: readonly Claim[]) =>
    changeUser(
      context,
      user,
      {},
      {
        also: (trx) => deleteClaims(trx, { userId: user.id }, claims.filter(isCarriable)),
      },
    )

  return {
    addClaim: (user, claim) => addClaims(user, [claim]),
    addClaims,
    async replaceClaim(user, claim, newClaim) {
      if (!isCarriable(newClaim)) return refused
      return changeUser(
        context,
        user,
        {},
        {
          async also(trx) {
            if (isCarriable(claim)) await replaceClaim(trx, { userId: user.id }, claim, newClaim)
          },
        },
      )
    },
    removeClaim: (user, claim) => removeClaims(user, [claim]),
    removeClaims,
    getClaims: (user) => listClaims(db, { userId: user.id }),
    getUsersForClaim: async (claim, options = {}) =>
      isCarriable(claim)
        ? userPage(options, (after, limit) => listUsersWithClaim(db, claim, after, limit))
        : { users: [], next: null },
  }
}

/** Whether a claim fits into the database and a ticket. */
export function isCarriable({ type, value }: Claim): boolean {
  return (
    type !== '' &&
    isStorable(type, maxClaimBytes) &&
    isStorable(value, maxClaimBytes) &&
    Buffer.byteLength(type) + Buffer.byteLength(value) <= maxClaimBytes
  )
}

/** Writes claims after the existing ones, in their own order. */
export function writeClaims(trx: Trx, owner: ClaimOwner, claims: readonly Claim[], now: number): Promise<void> {
  return insertClaims(trx, owner, claims, claims.map(() => newUuidV7(now)).sort())
}
