// Tokens that other systems issued for a user, such as the access token of an external login. Each is sealed for its
// user, provider and name.
import { failed, type IdentityResult } from '../../errors.js'
import {
  authenticatorKeyPlace,
  deleteUserToken,
  findUserToken,
  putUserToken,
  usedCodesProvider,
} from '../../store/second-factors.js'
import { sealedPrefix } from '../../store/sealed.js'
import { openBytes, sealBytes, type SealingKey } from '../../tokens/seal.js'
import { type AccountContext, changeUser } from '../users/change-user.js'
import { isStorable } from '../users/storable.js'
import type { User } from '../users/user.js'

/**
 * Tokens by login provider and name. The providers `[AspNetUserStore]` and `[Identity]` are reserved for our own
 * sealed tokens: here they are empty and read-only. No method of it rotates the stamp or ends a session.
 */
export interface AuthenticationTokenManager {
  /** The value of a token; null without it. */
  getAuthenticationToken(user: User, loginProvider: string, name: string): Promise<string | null>
  /**
   * Writes or replaces a token; null keeps the row without a value.
   *
   * @returns DefaultError when provider or name are longer than 128 characters, or a text holds a NUL; ConcurrencyFailure
   */
  setAuthenticationToken(user: User, loginProvider: string, name: string, value: string | null): Promise<IdentityResult>
  /**
   * Removes a token; does nothing when there is none. @returns DefaultError for a reserved provider;
   * ConcurrencyFailure
   */
  removeAuthenticationToken(user: User, loginProvider: string, name: string): Promise<IdentityResult>
}

const maxKeyLength = 128
const ours: ReadonlySet<string> = new Set([authenticatorKeyPlace.loginProvider, usedCodesProvider])

export function createAuthenticationTokenManager(context: AccountContext): AuthenticationTokenManager {
  const { db, describe, keys } = context
  const refused = failed(describe, [{ code: 'DefaultError' }])
  const isPlace = (loginProvider: string, name: string) =>
    !ours.has(loginProvider) && isStorable(loginProvider, maxKeyLength) && isStorable(name, maxKeyLength)

  return {
    getAuthenticationToken: async (user, loginProvider, name) =>
      isPlace(loginProvider, name)
        ? openToken(keys.vault(), [user.id, loginProvider, name], await findUserToken(db, user.id, loginProvider, name))
        : null,
    async setAuthenticationToken(user, loginProvider, name, value) {
      if (!isPlace(loginProvider, name) || (value !== null && !isStorable(value, Infinity))) return refused
      const sealed = value === null ? null : sealToken(keys.vault(), [user.id, loginProvider, name], value)
      return changeUser(context, user, {}, { also: (trx) => putUserToken(trx, user.id, loginProvider, name, sealed) })
    },
    async removeAuthenticationToken(user, loginProvider, name) {
      if (ours.has(loginProvider)) return refused
      return changeUser(
        context,
        user,
        {},
        {
          async also(trx) {
            if (isPlace(loginProvider, name)) await deleteUserToken(trx, user.id, loginProvider, name)
          },
        },
      )
    },
  }
}

type TokenPlace = readonly [userId: string, loginProvider: string, name: string]

function sealToken(vault: SealingKey, place: TokenPlace, value: string): string {
  return sealedPrefix + sealBytes(vault, 'externalToken', value, JSON.stringify(place)).toString('base64url')
}

/** A token that was stored before tokens were sealed is returned as it is; one that does not open is null. */
function openToken(vault: SealingKey, place: TokenPlace, stored: string | null): string | null {
  if (stored?.startsWith(sealedPrefix) !== true) return stored
  const sealed = Buffer.from(stored.slice(sealedPrefix.length), 'base64url')
  const find = (id: number) => (id === vault.id ? vault : null)
  return openBytes(find, 'externalToken', sealed, JSON.stringify(place))?.toString() ?? null
}
