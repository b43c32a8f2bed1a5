// Creates, finds and changes users. Names follow the reference's UserManager; expected failures are values. A
// changing method writes the user's row unless it was changed since it was read, and updates the object that it is
// given.
import { failed, type IdentityError, type IdentityResult, success } from '../../errors.js'
import type { LockoutLimits } from '../../store/attempts.js'
import { noteClaimChange } from '../../store/claim-changes.js'
import type { OutboxRecord } from '../../store/outbox.js'
import { inTransaction, type Transaction, within } from '../../store/transaction.js'
import {
  deleteUser,
  findUserByEmail,
  findUserById,
  findUserByName,
  findUsersByEmail,
  insertUser,
  lockUser,
} from '../../store/users.js'
import {
  type AccountContext,
  changeUser,
  describeAll,
  duplicatesOf,
  passwordErrors,
  takenOf,
  uniqueEmailOf,
} from '../users/change-user.js'
import type { Throttle } from '../throttle/throttle.js'
import { type AuthenticationTokenManager, createAuthenticationTokenManager } from '../credentials/external-tokens.js'
import { type ClaimManager, createClaimManager } from '../roles/user-claims.js'
import { createCredentialManager, type CredentialManager } from '../credentials/password-and-email.js'
import { createDirectory, type Directory } from '../users/list-users.js'
import type { CodeLifetimes } from '../credentials/options.js'
import { createLockoutManager, type LockoutManager } from '../credentials/lockout.js'
import { createLoginManager, type LoginManager } from '../credentials/external-logins.js'
import { createMembershipManager, type MembershipManager } from '../roles/user-roles.js'
import { createNameManager, type NameManager } from '../users/name-manager.js'
import { isBeyondAscii, type NameKeys, nameKeys } from '../../store/name-keys.js'
import { prepareUser } from '../users/new-user.js'
import { createPasskeyManager, type PasskeyManager } from '../credentials/passkeys.js'
import { createPhoneManager, type PhoneManager } from '../credentials/phone.js'
import type { TwoFactorSettings } from '../second-factor/verify.js'
import { isUuid } from '../../ids.js'
import type { TokenProviders } from '../second-factor/token-providers.js'
import { createTokenProviderManager, type TokenProviderManager } from '../second-factor/user-tokens.js'
import { createTwoFactorManager, type TwoFactorManager } from '../second-factor/two-factor-manager.js'
import type { NewUser, User } from '../users/user.js'
import { joined } from './joined.js'

/** The result of `users.create`. */
export type CreateResult =
  | {
      /** Whether the user was written. */
      readonly succeeded: true
      /** The new user. */
      readonly user: User
    }
  | {
      /** Whether the user was written. */
      readonly succeeded: false
      /** Why not. */
      readonly errors: readonly IdentityError[]
    }

/** Creating, finding, changing and deleting users. */
export interface UserBasics {
  /**
   * Writes a new user with a new security stamp. With a password, its rules are checked first and reported alone, as
   * in the reference.
   *
   * @returns PasswordTooShort and similar codes, InvalidUserName, InvalidEmail, DuplicateUserName, DuplicateEmail
   */
  create(user: NewUser, password?: string): Promise<CreateResult>
  /**
   * Writes changed members of `user`. Rotates no stamp and ends no session, unless `lockoutEnd` now keeps the user out. Tickets carry what
   * has changed within a second.
   *
   * @returns ConcurrencyFailure when the row was changed meanwhile
   */
  update(user: User): Promise<IdentityResult>
  /** Deletes the user with all belongings; their sessions end at once. */
  delete(user: User): Promise<IdentityResult>
  /**
   * Has the claims of this user read again on every instance, within a second and without signing anybody out: for what option `claims` reads
   * from elsewhere, and for rows that were changed past this package. Methods of the managers do it by themselves.
   */
  claimsChanged(user: Pick<User, 'id'>): Promise<void>
  /** The user of this id; null without it. */
  findById(id: string): Promise<User | null>
  /** By user name, in any letter case. */
  findByName(userName: string): Promise<User | null>
  /** By e-mail address, in any letter case. @throws Error when several users share it */
  findByEmail(email: string): Promise<User | null>
  /** The users who share an address: those who have confirmed it first, then the oldest; ten at most. */
  findAllByEmail(email: string): Promise<readonly User[]>
  /**
   * The user name of the one user with this address, or of several the one who has confirmed it; null when there is
   * none, or still more than one.
   */
  findNameByEmail(email: string): Promise<string | null>
  /** The faults of a password for this user; empty when it may be used. */
  validatePassword(password: string, user: User): Promise<readonly IdentityError[]>
}

/** For our own routes. */
export interface Registration {
  /** @param mail written with the user, in one statement */
  create(user: NewUser, password?: string, mail?: (user: User) => OutboxRecord): Promise<CreateResult>
}

/** `app.identity.users`. */
export interface UserManager
  extends
    UserBasics,
    NameManager,
    CredentialManager,
    PhoneManager,
    TwoFactorManager,
    TokenProviderManager,
    LockoutManager,
    LoginManager,
    ClaimManager,
    MembershipManager,
    AuthenticationTokenManager,
    PasskeyManager,
    Directory {
  /**
   * The same manager inside a host's own Kysely transaction: its rows and ours commit or roll back together. Hooks
   * run in it. No events are emitted, since only the host knows whether it commits. Sessions that end are refused
   * within a second after the commit.
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the host's tables are the host's
  withTransaction(trx: Transaction<any>): UserManager
}

export interface UserSettings {
  readonly lockout: LockoutLimits & { readonly allowedForNewUsers: boolean }
  readonly codes: CodeLifetimes
  readonly twoFactor: TwoFactorSettings
}

/** @param providers the host's own token providers; later additions count too */
export function createUserManager(
  context: AccountContext,
  settings: UserSettings,
  providers: TokenProviders,
  throttle: Throttle,
): UserManager & Registration {
  const { lockout, codes, twoFactor } = settings
  return joined([
    createUserBasics(context, lockout.allowedForNewUsers),
    createNameManager(context),
    createCredentialManager(context, codes, throttle),
    createPhoneManager(context, throttle),
    createTwoFactorManager(context, twoFactor),
    createTokenProviderManager(
      context,
      { windowSteps: twoFactor.windowSteps, tokenSeconds: codes.confirmEmailSeconds },
      providers,
    ),
    createLockoutManager(context, lockout),
    createLoginManager(context),
    createClaimManager(context),
    createMembershipManager(context),
    createAuthenticationTokenManager(context),
    createPasskeyManager(context),
    createDirectory(context),
    { withTransaction },
  ])

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the host's tables are the host's
  function withTransaction(trx: Transaction<any>): UserManager {
    const inside = {
      ...context,
      db: within(context.db, trx),
      // Ended sessions are not reported before the host commits: every instance, this one too, reads them from the
      // feed.
      sessions: { end: context.sessions.end, ended: () => undefined },
      claimsChanged: () => undefined,
      notifier: { ...context.notifier, emit: () => undefined },
    }
    return createUserManager(inside, settings, providers, throttle)
  }
}

export function createUserBasics(context: AccountContext, lockoutForNewUsers: boolean): UserBasics & Registration {
  const { db, describe, sessions, notifier } = context

  return {
    async create(given: NewUser, password?: string, mail?: (user: User) => OutboxRecord) {
      const prepared = await prepareUser(context, given, password, lockoutForNewUsers)
      if (!prepared.succeeded) return prepared
      const { user } = prepared
      // An address that was taken before addresses had to be unique is not in the index, nor is each name of before letters beyond ASCII were
      // folded.
      const mayBeHidden = context.userRules.requireUniqueEmail === true || isBeyondAscii(user.normalizedUserName)
      const taken = mayBeHidden ? await takenOf(context, user) : []
      if (taken.length > 0) return { succeeded: false, errors: describeAll(describe, taken) }
      // The unique indexes decide, not a look-up: of parallel registrations of one name, one row is written.
      const write = async (place: AccountContext['db']) =>
        insertUser(place, user, uniqueEmailOf(context, user), mail?.(user))
      const isAlone = !notifier.has('userCreating') && !notifier.has('userCreated')
      const written = isAlone
        ? await write(db)
        : ((await unlessRefused(
            inTransaction(db, async (trx) => {
              await notifier.hook('userCreating', trx, user)
              if (!(await write(trx))) throw new ConcurrentChange()
              await notifier.hook('userCreated', trx, user)
              return true
            }),
          )) ?? false)
      if (written) {
        notifier.emit('userCreated', { userId: user.id })
        return { succeeded: true, user: Object.assign(given, user) }
      }
      return { succeeded: false, errors: describeAll(describe, await duplicatesOf(context, user)) }
    },

    update: (user) => changeUser(context, user, {}),

    async delete(user) {
      if (!isUuid(user.id) || !isUuid(user.concurrencyStamp)) return failed(describe, [{ code: 'ConcurrencyFailure' }])
      const ended = await unlessRefused(
        inTransaction(db, async (trx) => {
          if (!(await lockUser(trx, user.id, user.concurrencyStamp))) throw new ConcurrentChange()
          await notifier.hook('userDeleting', trx, user)
          const ids = await sessions.end(trx, { userId: user.id }, 'deleted')
          await deleteUser(trx, user.id)
          return ids
        }),
      )
      if (ended === null) return failed(describe, [{ code: 'ConcurrencyFailure' }])
      sessions.ended(ended, 'deleted')
      notifier.emit('userDeleted', { userId: user.id })
      return success
    },

    async claimsChanged({ id }) {
      if (isUuid(id)) context.claimsChanged(await noteClaimChange(db, `u:${id.toLowerCase()}`))
    },

    findById: async (id) => (isUuid(id) ? findUserById(db, id.toLowerCase()) : null),
    findByName: async (userName) => byKey(userName, (key) => findUserByName(db, key)),
    findByEmail: async (email) => byKey(email, (key) => findUserByEmail(db, key)),
    findAllByEmail: (email) => {
      const keys = nameKeys(email)
      return keys === null || email === '' ? Promise.resolve([]) : findUsersByEmail(db, keys, mostOfOneAddress)
    },
    async findNameByEmail(email) {
      const keys = nameKeys(email)
      const [user, another] = keys === null || email === '' ? [] : await findUsersByEmail(db, keys, 2)
      const isTheOne = another === undefined || (user?.emailConfirmed === true && !another.emailConfirmed)
      return isTheOne ? (user?.userName ?? null) : null
    },
    validatePassword: (password, user) => passwordErrors(context, password, user),
  }
}

// A shared address may be a family's, or one that strangers register again and again: it limits the mails of one
// request.
const mostOfOneAddress = 10

/** Rolls a transaction back, with the rows of hooks, when a name was taken or the row was changed meanwhile. */
class ConcurrentChange extends Error {}

async function unlessRefused<T>(work: Promise<T>): Promise<T | null> {
  return work.catch((error: unknown) => {
    if (error instanceof ConcurrentChange) return null
    throw error
  })
}

function byKey(text: string, find: (keys: NameKeys) => Promise<User | null>): Promise<User | null> {
  const keys = nameKeys(text)
  return keys === null || text === '' ? Promise.resolve(null) : find(keys)
}
