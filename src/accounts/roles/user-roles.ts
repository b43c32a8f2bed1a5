// Which roles a user has. A change counts within a second on every instance, also for tickets of before.
import type { IdentityResult } from '../../errors.js'
import type { Trx } from '../../store/db.js'
import { nameKeys } from '../../store/name-keys.js'
import {
  deleteUserRoles,
  holdRoles,
  insertUserRoles,
  isUserInRole,
  listRolesOfUser,
  listUsersInRole,
} from '../../store/roles.js'
import { type AccountContext, changeUser, ChangeRefused } from '../users/change-user.js'
import type { PageOptions } from '../../page.js'
import { type UserPage, userPage } from '../users/page.js'
import type { User } from '../users/user.js'

/** Roles of users, by name in any letter case. No method of it rotates the stamp or ends a session. */
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
          const ids = await idsOf(trx, names)
          const held = new Set((await listRolesOfUser(trx, user.id)).map(({ id }) => id))
          for (const name of names) {
            const id = ids.get(name)
            if (id === undefined) throw new Error(`Role ${name} does not exist.`)
            if (held.has(id)) throw new ChangeRefused([{ code: 'UserAlreadyInRole', args: [name] }])
          }
          await insertUserRoles(trx, user.id, [...new Set(ids.values())])
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
          const ids = await idsOf(trx, names)
          const held = new Set((await listRolesOfUser(trx, user.id)).map(({ id }) => id))
          const missing = names.find((name) => !held.has(ids.get(name) ?? ''))
          if (missing !== undefined) throw new ChangeRefused([{ code: 'UserNotInRole', args: [missing] }])
          await deleteUserRoles(trx, user.id, [...new Set(ids.values())])
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
      const key = nameKeys(role)
      return key !== null && isUserInRole(db, user.id, key)
    },
    async getUsersInRole(role, options = {}) {
      const key = nameKeys(role)
      return key === null
        ? { users: [], next: null }
        : userPage(options, (after, limit) => listUsersInRole(db, key, after, limit))
    },
  }
}

/** The ids of roles by the names as given, without those that do not exist. */
async function idsOf(trx: Trx, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const possible = names.flatMap((name) => {
    const keys = nameKeys(name)
    return keys === null ? [] : [{ name, keys }]
  })
  const roles = await holdRoles(
    trx,
    possible.map(({ keys }) => keys),
  )
  const found = possible.map(({ name }, index) => [name, roles[index]?.id] as const)
  return new Map(found.filter((one): one is readonly [string, string] => one[1] !== undefined))
}
