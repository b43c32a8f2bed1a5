// Which roles a user has. A change counts within a second on every instance, also for tickets of before.
import type { IdentityResult } from '../../errors.js'
import {
  deleteUserRoles,
  holdRoles,
  insertUserRoles,
  isUserInRole,
  listRolesOfUser,
  listUsersInRole,
} from '../../store/roles.js'
import { type AccountContext, changeUser, ChangeRefused } from '../users/change-user.js'
import { normalizeName } from '../users/names.js'
import type { PageOptions } from '../../page.js'
import { type UserPage, userPage } from '../users/page.js'
import type { User } from '../users/user.js'

/** Roles of users, by name in any letter case of ASCII. No method of it rotates the stamp or ends a session. */
export interface MembershipManager {
  /**
   * Adds the user to a role.
   * @returns UserAlreadyInRole, ConcurrencyFailure
   * @throws Error when there is no such role
   */
  addToRole(user: User, role: string): Promise<IdentityResult>
  /**
   * Adds to all of them or none; a role that is named twice counts once. @returns UserAlreadyInRole,
   * ConcurrencyFailure @throws Error when one does not exist
   */
  addToRoles(user: User, roles: readonly string[]): Promise<IdentityResult>
  /**
   * Removes the user from a role.
   * @returns UserNotInRole, also when there is no such role; ConcurrencyFailure
   */
  removeFromRole(user: User, role: string): Promise<IdentityResult>
  /** Removes from all of them or none. @returns UserNotInRole, ConcurrencyFailure */
  removeFromRoles(user: User, roles: readonly string[]): Promise<IdentityResult>
  /** Names as the roles are spelled, in alphabetical order. */
  getRoles(user: User): Promise<readonly string[]>
  /** Whether the user is in a role. */
  isInRole(user: User, role: string): Promise<boolean>
  /** Users in a role, in the order of their ids; empty when there is no such role. */
  getUsersInRole(role: string, options?: PageOptions): Promise<UserPage>
}

export function createMembershipManager(context: AccountContext): MembershipManager {
  const { db } = context

  const addToRoles = (user: User, names: readonly string[]) =>
    changeUser(
      context,
      user,
      {},
      {
        async also(trx) {
          const known = new Map((await holdRoles(trx, [...keysOf(names)])).map((role) => [role.normalizedName, role]))
          const held = new Set((await listRolesOfUser(trx, user.id)).map(({ normalizedName }) => normalizedName))
          for (const name of names) {
            const key = normalizeName(name)
            if (key !== null && held.has(key)) throw new ChangeRefused([{ code: 'UserAlreadyInRole', args: [name] }])
            if (key === null || !known.has(key)) throw new Error(`Role ${name} does not exist.`)
          }
          await insertUserRoles(
            trx,
            user.id,
            [...known.values()].map(({ id }) => id),
          )
        },
      },
    )

  const removeFromRoles = (user: User, names: readonly string[]) =>
    changeUser(
      context,
      user,
      {},
      {
        async also(trx) {
          const wanted = keysOf(names)
          const held = await listRolesOfUser(trx, user.id)
          const missing = names.find(
            (name) => !held.some(({ normalizedName }) => normalizedName === normalizeName(name)),
          )
          if (missing !== undefined) throw new ChangeRefused([{ code: 'UserNotInRole', args: [missing] }])
          await deleteUserRoles(
            trx,
            user.id,
            held.filter(({ normalizedName }) => wanted.has(normalizedName)).map(({ id }) => id),
          )
        },
      },
    )

  return {
    addToRole: (user, role) => addToRoles(user, [role]),
    addToRoles,
    removeFromRole: (user, role) => removeFromRoles(user, [role]),
    removeFromRoles,
    getRoles: async (user) => (await listRolesOfUser(db, user.id)).map(({ name }) => name),
    async isInRole(user, role) {
      const key = normalizeName(role)
      return key !== null && isUserInRole(db, user.id, key)
    },
    async getUsersInRole(role, options = {}) {
      const key = normalizeName(role)
      return key === null
        ? { users: [], next: null }
        : userPage(options, (after, limit) => listUsersInRole(db, key, after, limit))
    },
  }
}

/** Normalised names, without those that no role can have. */
function keysOf(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map(normalizeName).filter((key) => key !== null))
}
