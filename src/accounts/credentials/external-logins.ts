// The external logins of users. The host verifies that a login is genuine before it calls these methods.
import { failed, type IdentityResult } from '../../errors.js'
import { deleteLogin, findUserByLogin, insertLogin, listLogins, type UserLogin } from '../../store/logins.js'
import { type AccountContext, changeUser, ChangeRefused } from '../users/change-user.js'
import { isStorable } from '../users/storable.js'
import type { User } from '../users/user.js'

/** A login to add; the display name is optional. */
export type NewUserLogin = Pick<UserLogin, 'loginProvider' | 'providerKey'> & {
  /** The provider's name for display. Default null. */
  readonly providerDisplayName?: string | null | undefined
}

/** Identities of users at other systems. */
export interface LoginManager {
  /**
   * Adds a login to the user. Of parallel additions of one login, to any users, one succeeds. Rotates no stamp and
   * ends no session.
   *
   * @returns LoginAlreadyAssociated when any user has it; DefaultError when provider or key are empty, longer than
   * 128 characters or hold a NUL; ConcurrencyFailure
   */
  addLogin(user: User, login: NewUserLogin): Promise<IdentityResult>
  /**
   * Takes a login away; one that the user does not have, too, is no failure. Rotates the stamp and, where a login was taken away, ends the
   * user's sessions, but for `keepSessionId`.
   *
   * @returns ConcurrencyFailure
   */
  removeLogin(
    user: User,
    loginProvider: string,
    providerKey: string,
    options?: { keepSessionId?: string },
  ): Promise<IdentityResult>
  /** By provider, then key. */
  getLogins(user: User): Promise<readonly UserLogin[]>
  /** The user with this login, compared exactly; null when there is none. */
  findByLogin(loginProvider: string, providerKey: string): Promise<User | null>
}

const maxKeyLength = 128

export function createLoginManager(context: AccountContext): LoginManager {
  const { db, describe } = context
  return {
    async addLogin(user, { loginProvider, providerKey, providerDisplayName = null }) {
      const isGood =
        isLogin(loginProvider, providerKey) && (providerDisplayName === null || isStorable(providerDisplayName, 256))
      if (!isGood) return failed(describe, [{ code: 'DefaultError' }])
      const login = { loginProvider, providerKey, providerDisplayName }
      return changeUser(
        context,
        user,
        {},
        {
          async also(trx) {
            if (!(await insertLogin(trx, user.id, login))) throw new ChangeRefused([{ code: 'LoginAlreadyAssociated' }])
          },
        },
      )
    },
    removeLogin: (user, loginProvider, providerKey, { keepSessionId } = {}) =>
      changeUser(
        context,
        user,
        {},
        {
          rotateStamp: true,
          ends: { cause: 'loginRemoved', keep: keepSessionId },
          also: async (trx) =>
            isLogin(loginProvider, providerKey) && (await deleteLogin(trx, user.id, loginProvider, providerKey)),
        },
      ),
    getLogins: (user) => listLogins(db, user.id),
    findByLogin: async (loginProvider, providerKey) =>
      isLogin(loginProvider, providerKey) ? findUserByLogin(db, loginProvider, providerKey) : null,
  }
}

/** Whether such a login can be stored. */
export function isLogin(loginProvider: string, providerKey: string): boolean {
  return [loginProvider, providerKey].every((text) => text !== '' && isStorable(text, maxKeyLength))
}
