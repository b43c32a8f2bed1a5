// Sign-in by steps of a host: the password alone, the second factor alone, a login of another system, or the host's
// word. Each step that verifies counts failures in the throttle of the name, and is refused while the name is locked.
import type { Clock } from '../../clock.js'
import { readAttempts, succeedAttempt, type FoundUser, type Reservation } from '../../store/attempts.js'
import type { Db } from '../../store/db.js'
import { findUserByLogin } from '../../store/logins.js'
import { authenticatorKeyPlace, findUserToken } from '../../store/second-factors.js'
import {
  isLockedByHand,
  type Claim,
  findUserWithGrants,
  type UserRecord,
  type UserWithGrants,
} from '../../store/users.js'
import type { QueuedHasher } from '../../passwords/hasher.js'
import type { SealingKey } from '../../tokens/seal.js'
import { isStorable } from '../users/storable.js'
import { isLogin } from '../credentials/external-logins.js'
import type { SecondFactors } from '../second-factor/verify.js'
import { isUuid } from '../../ids.js'
import type { SessionEnder } from '../sessions/session-ends.js'
import {
  type PasswordCheck,
  refused,
  type SignInFailure,
  type SignInMethod,
  type SignInResult,
} from './sign-in-result.js'
import { attemptKeyOf, type Throttle, type Verdict } from '../throttle/throttle.js'
import type { User } from '../users/user.js'

/** What the methods that open a session take. */
export interface SessionOptions {
  /** The client's name in the list of sessions, for example the User-Agent. */
  readonly client?: string | null | undefined
  /** The network address of the client, `request.ip`. Kept only with option `sessions.recordAddress`. */
  readonly address?: string | null | undefined
}

/** The steps. Each reads `user` again: a user whose name or stamp has changed since then is `Failed`. */
export interface HostSignIn {
  /**
   * Checks a password and opens no session. A right one resets failed attempts unless a second factor is still to
   * come, so that it allows no further guesses at that. Updates `user` when the password was hashed anew, which
   * rotates the stamp and ends no session.
   *
   * @returns LockedOut, NotAllowed (only for the right password), Failed
   * @throws FST_IDENTITY_HASHER_BUSY, FST_IDENTITY_SIGN_INS_CROWDED
   */
  checkPasswordSignIn(user: User, password: string): Promise<PasswordCheck>
  /**
   * Opens a session by a code of the authenticator app. The first factor must have been proved: call it after
   * `checkPasswordSignIn`. The code is used up; `amr` is `mfa`.
   *
   * @returns LockedOut, NotAllowed, Failed
   */
  twoFactorAuthenticatorSignIn(user: User, code: string, options?: SessionOptions): Promise<SignInResult>
  /** The same by a recovery code; a wrong one counts too, unlike in the reference. */
  twoFactorRecoveryCodeSignIn(user: User, code: string, options?: SessionOptions): Promise<SignInResult>
  /**
   * The same by the code of a provider that `users.getValidTwoFactorProviders` names. A code of Email or Phone is
   * used up: as codes of three minutes are equal, a second sign-in within them needs the next code, unless
   * `twoFactor.allowCodeReuse`.
   *
   * @throws Error when there is no such provider
   */
  twoFactorSignIn(user: User, provider: string, code: string, options?: SessionOptions): Promise<SignInResult>
  /**
   * Opens a session for a login of another system that the host has verified; `amr` is the provider's name.
   * `bypassTwoFactor` (default false) is for providers that ask for a second factor themselves.
   *
   * @returns Failed when no user has this login; NotAllowed, LockedOut, RequiresTwoFactor
   */
  externalLoginSignIn(
    loginProvider: string,
    providerKey: string,
    options?: SessionOptions & { readonly bypassTwoFactor?: boolean },
  ): Promise<SignInResult>
  /**
   * Opens a session on the host's word alone, with its `amr`, by default none. Failed attempts do not prevent it.
   *
   * `claims` are those of this session alone, for example an acting administrator or a tenant: they survive a refresh
   * and are listed. At most 1 kB together with `amr`.
   *
   * @returns NotAllowed, LockedOut (by an administrator), Failed
   * @throws TypeError for a claim of a reserved type: sub, name, email, role, amr, auth_time, sid
   */
  signIn(
    user: User,
    options?: SessionOptions & { readonly amr?: readonly string[]; readonly claims?: readonly Claim[] },
  ): Promise<SignInResult>
  /** Ends a session; its tokens and cookies are refused at once. False when it had ended already. */
  signOut(sessionId: string): Promise<boolean>
}

/** How a session is opened. */
export interface Opening extends SessionOptions {
  readonly method: SignInMethod
  readonly amr: readonly string[]
  /** The reserved attempt that it completes. */
  readonly reservation: Reservation | null
  /** Claims of this session alone. */
  readonly claims?: readonly Claim[] | undefined
}

export interface HostSignInDependencies {
  readonly db: Db
  readonly clock: Clock
  readonly hasher: QueuedHasher
  readonly vault: () => SealingKey
  readonly sessions: SessionEnder
  readonly secondFactors: SecondFactors
  readonly throttle: Throttle
  readonly canSignIn: (user: UserRecord) => boolean
  readonly open: (found: UserWithGrants, opening: Opening) => Promise<SignInResult>
  readonly rehash: (found: UserWithGrants, password: string) => Promise<UserWithGrants | null>
  /** Reports the result of a sign-in to listeners. */
  readonly report: (user: UserRecord | null, result: SignInResult | PasswordCheck) => void
}

export function createHostSignIn(dependencies: HostSignInDependencies): HostSignIn {
  return {
    ...createPasswordStep(dependencies),
    ...createSecondFactorSteps(dependencies),
    ...createSessionSteps(dependencies),
  }
}

type Report = HostSignInDependencies['report']

function reported<T extends SignInResult | PasswordCheck>(report: Report, user: UserRecord | null, result: T): T {
  report(user, result)
  return result
}

/** The reason to refuse a user, whatever is proved. */
function barrier(
  { canSignIn, clock }: Pick<HostSignInDependencies, 'canSignIn' | 'clock'>,
  user: UserRecord,
): 'NotAllowed' | 'LockedOut' | null {
  if (!canSignIn(user)) return 'NotAllowed'
  return isLockedByHand(user, clock()) ? 'LockedOut' : null
}

/** The first factor alone. */
function createPasswordStep(dependencies: HostSignInDependencies): Pick<HostSignIn, 'checkPasswordSignIn'> {
  const { db, hasher, secondFactors, throttle, report } = dependencies

  return {
    async checkPasswordSignIn(given, password) {
      const { answer } = await throttle.attempt(
        db,
        given.userName,
        async (found, reservation): Promise<Verdict<PasswordCheck>> => {
          const isSame = found?.user.id === given.id
          const verdict = await hasher.verify(isSame ? found.user.passwordHash : null, password)
          if (!isSame || verdict === 'no') return 'wrong'
          const reason = barrier(dependencies, found.user)
          if (reason !== null) return unsettled(refused(reason))
          const current = verdict === 'yes' ? found : await dependencies.rehash(found, password)
          if (current === null) return unsettled(refused('Failed'))
          Object.assign(given, current.user)
          const requiresTwoFactor = await secondFactors.isRequired(current.user, found.authenticatorKey)
          if (!requiresTwoFactor && reservation !== null) await succeedAttempt(db, reservation)
          return { answer: { succeeded: true, requiresTwoFactor }, isSettled: !requiresTwoFactor }
        },
      )
      return reported(report, given, typeof answer === 'string' ? refused(answer) : answer)
    },
  }
}

/** The second factor alone, by any of its codes. */
function createSecondFactorSteps(
  dependencies: HostSignInDependencies,
): Pick<HostSignIn, 'twoFactorAuthenticatorSignIn' | 'twoFactorRecoveryCodeSignIn' | 'twoFactorSignIn'> {
  const { db, secondFactors, throttle, open, report } = dependencies

  async function byCode(
    given: User,
    method: SignInMethod,
    { client, address }: SessionOptions,
    verify: (found: FoundUser) => Promise<boolean>,
  ): Promise<SignInResult> {
    const { answer } = await throttle.attempt(
      db,
      given.userName,
      async (found, reservation): Promise<Verdict<SignInResult>> => {
        // The first factor was proved under this stamp: under another one it may no longer hold.
        if (found?.user.id !== given.id || found.user.securityStamp !== given.securityStamp)
          return unsettled(refused('Failed'))
        const reason = barrier(dependencies, found.user)
        if (reason !== null) return unsettled(refused(reason))
        if (!(await verify(found))) return 'wrong'
        const opened = await open(found, { method, amr: ['mfa'], client, address, reservation })
        return { answer: opened, isSettled: opened.succeeded }
      },
    )
    return reported(report, given, typeof answer === 'string' ? refused(answer) : answer)
  }

  return {
    twoFactorAuthenticatorSignIn: (user, code, options = {}) =>
      byCode(user, 'authenticator', options, ({ authenticatorKey }) =>
        secondFactors.useAuthenticatorCode(user.id, authenticatorKey, code),
      ),
    twoFactorRecoveryCodeSignIn: (user, code, options = {}) =>
      byCode(user, 'recoveryCode', options, (found) => secondFactors.useRecoveryCode(found.user, code)),
    async twoFactorSignIn(user, provider, code, options = {}) {
      secondFactors.requireProvider(provider)
      return byCode(user, 'provider', options, (found) =>
        secondFactors.useProviderCode(found.user, found.authenticatorKey, provider, code),
      )
    },
  }
}

/** Sessions that open on the word of the host or of another system, and their end. */
function createSessionSteps(
  dependencies: HostSignInDependencies,
): Pick<HostSignIn, 'externalLoginSignIn' | 'signIn' | 'signOut'> {
  const { db, vault, sessions, secondFactors, open, report } = dependencies

  return {
    async externalLoginSignIn(loginProvider, providerKey, { client, address, bypassTwoFactor = false } = {}) {
      const user = isLogin(loginProvider, providerKey) ? await findUserByLogin(db, loginProvider, providerKey) : null
      if (user === null) return reported(report, null, refused('Failed'))
      const reason = await externalRefusal(user, bypassTwoFactor)
      if (reason !== null) return reported(report, user, refused(reason))
      return openFor(user, { method: 'external', amr: [loginProvider], client, address, reservation: null })
    },

    async signIn(user, { client, address, amr = [], claims = [] } = {}) {
      requireSessionClaims(amr, claims)
      return openFor(user, { method: 'host', amr, client, address, reservation: null, claims })
    },

    async signOut(sessionId) {
      if (!isUuid(sessionId)) return false
      const ended = await sessions.end(db, { id: sessionId.toLowerCase() }, 'signOut')
      sessions.ended(ended, 'signOut')
      return ended.length === 1
    },
  }

  /** Unlike the host's own word, a login of another system is refused by failed attempts too (as in the reference). */
  async function externalRefusal(user: UserRecord, bypassTwoFactor: boolean): Promise<SignInFailure | null> {
    const reason = barrier(dependencies, user)
    if (reason !== null) return reason
    if (user.lockoutEnabled && (await readAttempts(db, attemptKeyOf(vault(), user.userName))).locked) return 'LockedOut'
    if (!user.twoFactorEnabled || bypassTwoFactor) return null
    const sealedKey = await findUserToken(db, user.id, authenticatorKeyPlace.loginProvider, authenticatorKeyPlace.name)
    return (await secondFactors.isRequired(user, sealedKey)) ? 'RequiresTwoFactor' : null
  }

  /** Opens a session for a user as stored now. */
  async function openFor(given: User, opening: Opening): Promise<SignInResult> {
    const found = await findUserWithGrants(db, given.id)
    if (found?.user.securityStamp !== given.securityStamp) return reported(report, given, refused('Failed'))
    const reason = barrier(dependencies, found.user)
    return reported(report, given, reason === null ? await open(found, opening) : refused(reason))
  }
}

const reservedTypes: ReadonlySet<string> = new Set(['sub', 'name', 'email', 'role', 'amr', 'auth_time', 'sid'])
const maxSessionBytes = 1024

/** What each ticket of a session carries has to fit beside the rest, and may not speak for the user. */
function requireSessionClaims(amr: readonly string[], claims: readonly Claim[]): void {
  for (const { type, value } of claims) {
    if (typeof type !== 'string' || typeof value !== 'string' || type === '')
      throw new TypeError('A claim of a session has a type and a value, which are texts')
    if (!isStorable(type, maxSessionBytes) || !isStorable(value, maxSessionBytes))
      throw new TypeError('A claim of a session cannot be stored')
    if (reservedTypes.has(type)) throw new TypeError(`The claim ${type} is reserved`)
  }
  if (Buffer.byteLength(JSON.stringify([amr, claims])) > maxSessionBytes)
    throw new TypeError(`The claims of a session have more than ${maxSessionBytes} bytes`)
}

function unsettled<T>(answer: T): { answer: T; isSettled: false } {
  return { answer, isSettled: false }
}
