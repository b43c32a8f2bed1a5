// Users as things that are created, found and changed. Names follow the reference's UserManager; expected failures are values.
// A changing method writes the user's row where nobody else has changed it since it was read, and brings the object up to date.
import type { Clock } from '../clock.js'
import { type ErrorDescriber, failed, type Failure, type IdentityError, type IdentityResult, success } from '../errors.js'
import type { QueuedHasher } from '../passwords/hasher.js'
import { checkPassword, type PasswordRules } from '../passwords/policy.js'
import { type Db, inTransaction, violatedConstraint } from '../store/database.js'
import {
  deleteUser, findTaken, findUserByEmail, findUserById, findUserByName, insertUser, updateUser, type UserRecord,
} from '../store/users.js'
import { newConcurrencyStamp, newStamp, newUuidV7 } from '../tokens/stamp.js'
import { normalizeName } from './names.js'
import { isUuid, type SessionEnder } from './session-manager.js'
import { checkUser, type PasswordValidator, type UserRules } from './user-validator.js'

/** A user of the application. Methods that change one bring the object they were given up to date. */
export type User = UserRecord

/** What a new user must have; everything else has a default. */
export type NewUser = Partial<UserRecord> & { userName: string }

export type CreateResult =
  | { readonly succeeded: true, readonly user: User }
  | { readonly succeeded: false, readonly errors: readonly IdentityError[] }

export interface UserDependencies {
  readonly db: Db
  readonly clock: Clock
  readonly hasher: QueuedHasher
  readonly passwordRules: PasswordRules
  readonly passwordValidators: readonly PasswordValidator[]
  readonly userRules: UserRules
  readonly lockoutForNewUsers: boolean
  readonly describe: ErrorDescriber
  readonly sessions: SessionEnder
}

/** `app.identity.users`. */
export interface UserManager {
  /**
   * Writes a new user with a new security stamp. With a password, its rules are asked first and alone, as in the reference.
   *
   * @returns PasswordTooShort and its like · InvalidUserName · InvalidEmail · DuplicateUserName · DuplicateEmail
   */
  create(user: NewUser, password?: string): Promise<CreateResult>
  /** Writes changed members of `user`. Rotates no stamp. @returns ConcurrencyFailure when the row was changed by someone else */
  update(user: User): Promise<IdentityResult>
  /** Deletes the user with all that belongs to them; their sessions end at once. */
  delete(user: User): Promise<IdentityResult>
  findById(id: string): Promise<User | null>
  /** By user name, in any letter case of ASCII. */
  findByName(userName: string): Promise<User | null>
  /** By e-mail address, in any letter case of ASCII. @throws Error when several users share it */
  findByEmail(email: string): Promise<User | null>
  /** Whether the password is the user's. Counts nothing and locks nothing. */
  checkPassword(user: User, password: string): Promise<boolean>
  /** What is wrong with a password for this user; empty when it may be used. */
  validatePassword(password: string, user: User): Promise<readonly IdentityError[]>
}

export function createUserManager(dependencies: UserDependencies): UserManager {
  const { db, clock, hasher, describe } = dependencies

  async function validatePassword(password: string, user: User): Promise<readonly IdentityError[]> {
    const errors = describeAll(describe, checkPassword(dependencies.passwordRules, password))
    // Too long is told alone and before any rule of the host's reads it.
    if (errors.some(({ code }) => code === 'PasswordTooLong')) return errors
    for (const validator of dependencies.passwordValidators) errors.push(...await validator(password, user))
    return errors
  }

  function uniqueEmailOf(user: User): string | null {
    return dependencies.userRules.requireUniqueEmail ? user.normalizedEmail : null
  }

  async function duplicates(user: User): Promise<Failure[]> {
    const taken = await findTaken(db, user.normalizedUserName, uniqueEmailOf(user), user.id)
    return [
      ...(taken.name ? [{ code: 'DuplicateUserName', args: [user.userName] } as const] : []),
      ...(taken.email ? [{ code: 'DuplicateEmail', args: [user.email ?? ''] } as const] : []),
    ]
  }

  return {
    async create(given, password) {
      const user = newUser(given, dependencies.lockoutForNewUsers, clock())
      if (password !== undefined) {
        const errors = await validatePassword(password, user)
        if (errors.length > 0) return { succeeded: false, errors }
        user.passwordHash = await hasher.hash(password)
      }
      const failures = checkUser(dependencies.userRules, user)
      // A name that is not allowed cannot be taken either, but the address may be.
      if (failures.length > 0) return rejected(describe, failures)
      // The indexes decide, not a look-up: of any number of registrations at once one row is written.
      if (await insertUser(db, user, uniqueEmailOf(user))) return { succeeded: true, user: Object.assign(given, user) }
      const found = await duplicates(user)
      return rejected(describe, found.length > 0 ? found : [{ code: 'DuplicateUserName', args: [user.userName] }])
    },

    async update(user) {
      const next = { ...user, ...normalized(user), concurrencyStamp: newConcurrencyStamp() }
      const failures = checkUser(dependencies.userRules, next)
      if (failures.length > 0) return failed(describe, failures)
      try {
        if (!await updateUser(db, next, user.concurrencyStamp, uniqueEmailOf(next))) return failed(describe, [{ code: 'ConcurrencyFailure' }])
      } catch (error) {
        if (violatedConstraint(error) === null) throw error
        return failed(describe, await duplicates(next))
      }
      Object.assign(user, next)
      return success
    },

    async delete(user) {
      const ended = await inTransaction(db, async (trx) => {
        const ids = await dependencies.sessions.end(trx, { userId: user.id })
        return await deleteUser(trx, user.id, user.concurrencyStamp) ? ids : Promise.reject(new Stale())
      }).catch((error: unknown) => {
        if (error instanceof Stale) return null
        throw error
      })
      if (ended === null) return failed(describe, [{ code: 'ConcurrencyFailure' }])
      dependencies.sessions.ended(ended)
      return success
    },

    findById: async (id) => isUuid(id) ? findUserById(db, id.toLowerCase()) : null,
    findByName: async (userName) => byKey(userName, (key) => findUserByName(db, key)),
    findByEmail: async (email) => byKey(email, (key) => findUserByEmail(db, key)),
    checkPassword: async (user, password) => await hasher.verify(user.passwordHash, password) !== 'no',
    validatePassword,
  }
}

/** Rolls a transaction back whose row was changed by someone else meanwhile. */
class Stale extends Error {}

function byKey(text: string, find: (key: string) => Promise<User | null>): Promise<User | null> {
  const key = normalizeName(text)
  return key === null || key === '' ? Promise.resolve(null) : find(key)
}

function describeAll(describe: ErrorDescriber, failures: readonly Failure[]): IdentityError[] {
  return failures.map(({ code, args = [] }) => ({ code, description: describe(code, args) }))
}

function rejected(describe: ErrorDescriber, failures: readonly Failure[]): CreateResult {
  return { succeeded: false, errors: describeAll(describe, failures) }
}

function normalized(user: Pick<User, 'userName' | 'email'>): Pick<User, 'normalizedUserName' | 'normalizedEmail'> {
  return {
    // A name that cannot be normalised is refused by checkUser before anything is written.
    normalizedUserName: normalizeName(user.userName) ?? '',
    normalizedEmail: user.email === null ? null : normalizeName(user.email),
  }
}

function newUser(given: NewUser, lockoutEnabled: boolean, now: number): User {
  const user = {
    id: newUuidV7(now),
    email: null,
    emailConfirmed: false,
    passwordHash: null,
    phoneNumber: null,
    phoneNumberConfirmed: false,
    twoFactorEnabled: false,
    lockoutEnd: null,
    profile: {},
    createdAt: new Date(now),
    ...given,
    lockoutEnabled: given.lockoutEnabled ?? lockoutEnabled,
    securityStamp: newStamp(),
    concurrencyStamp: newConcurrencyStamp(),
  }
  return { ...user, ...normalized(user) }
}
