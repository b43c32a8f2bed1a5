// The names of a user: user name, address, security stamp; and the user of a principal.
import type { IdentityResult } from '../../errors.js'
import { findUserById } from '../../store/users.js'
import { stampKey } from '../../two-factor/stamp-totp.js'
import { type AccountContext, changeUser, normalized } from './change-user.js'
import { normalizeName } from './names.js'
import { isUuid } from '../../ids.js'
import type { User } from './user.js'

/** A principal, such as `request.identity`. */
export interface PrincipalLike {
  /** The id of the user. */
  readonly userId: string
  /** The user name. */
  readonly userName?: string
}

/** User names, addresses and stamps, and the user of a principal. */
export interface NameManager {
  /** The id of a user. */
  getUserId(user: Pick<User, 'id'>): string
  /** The id of a principal; null without one. */
  getUserId(principal: PrincipalLike | null | undefined): string | null
  /** The name of a user, as the object has it. */
  getUserName(user: Pick<User, 'id' | 'userName'>): string
  /** The name in a principal, as it was when its ticket was made; null when there is none. */
  getUserName(principal: PrincipalLike | null | undefined): string | null
  /** The user of a principal as stored now; null without a principal, and when the user was deleted. */
  getUser(principal: PrincipalLike | null | undefined): Promise<User | null>
  /** The e-mail address, as the object has it; null without one. */
  getEmail(user: User): string | null
  /** Whether the address is confirmed, as the object has it. */
  isEmailConfirmed(user: User): boolean
  /**
   * Sets another user name. Rotates the stamp; sessions go on. Failed sign-ins belong to the old name.
   *
   * @returns InvalidUserName, DuplicateUserName, ConcurrencyFailure
   */
  setUserName(user: User, userName: string): Promise<IdentityResult>
  /**
   * Updates `user.normalizedUserName` from `user.userName`. Writes nothing to the database; every change does it by
   * itself.
   */
  updateNormalizedUserName(user: User): void
  /**
   * Updates `user.normalizedEmail` from `user.email`. Writes nothing to the database; every change does it by itself.
   */
  updateNormalizedEmail(user: User): void
  /** The form in which names are unique: NFC, letters in upper case. Null for a text that no row can hold. */
  normalizeName(name: string): string | null
  /** The same for addresses. */
  normalizeEmail(email: string): string | null
  /** The security stamp, as the object has it. */
  getSecurityStamp(user: User): string
  /**
   * Rotates the stamp and ends all sessions: everything issued before is refused, mailed codes too. @returns
   * ConcurrencyFailure
   */
  updateSecurityStamp(user: User): Promise<IdentityResult>
  /** The security stamp as a key for codes of your own: its UTF-16LE bytes, as in the reference. */
  createSecurityToken(user: User): Uint8Array
}

export function createNameManager(context: AccountContext): NameManager {
  function getUserId(user: Pick<User, 'id'>): string
  function getUserId(principal: PrincipalLike | null | undefined): string | null
  function getUserId(subject: Pick<User, 'id'> | PrincipalLike | null | undefined): string | null {
    if (subject === null || subject === undefined) return null
    return 'userId' in subject ? subject.userId : subject.id
  }

  function getUserName(user: Pick<User, 'id' | 'userName'>): string
  function getUserName(principal: PrincipalLike | null | undefined): string | null
  function getUserName(subject: { readonly userName?: string } | null | undefined): string | null {
    return subject?.userName ?? null
  }

  return {
    getUserId,
    getUserName,
    async getUser(principal) {
      const id = getUserId(principal)
      return id !== null && isUuid(id) ? findUserById(context.db, id.toLowerCase()) : null
    },
    getEmail: (user) => user.email,
    isEmailConfirmed: (user) => user.emailConfirmed,
    setUserName: (user, userName) => changeUser(context, user, { userName }, { rotateStamp: true }),
    updateNormalizedUserName: (user) => {
      user.normalizedUserName = normalized(user).normalizedUserName
    },
    updateNormalizedEmail: (user) => {
      user.normalizedEmail = normalized(user).normalizedEmail
    },
    normalizeName,
    normalizeEmail: normalizeName,
    getSecurityStamp: (user) => user.securityStamp,
    updateSecurityStamp: (user) =>
      changeUser(context, user, {}, { rotateStamp: true, ends: { cause: 'stampChanged' } }),
    createSecurityToken: (user) => stampKey(user.securityStamp),
  }
}
