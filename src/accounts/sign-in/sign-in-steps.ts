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
import { isSessionUnused } from '../../store/sessions.js'
import { isMarkOf, stampMark } from '../../tokens/fields.js'
import type { Keys } from '../keys/key-manager.js'
import { isStorable } from '../users/storable.js'
import { isLogin } from '../credentials/external-logins.js'
import type { SecondFactors } from '../second-factor/verify.js'
import { isUuid } from '../../ids.js'
import type { SessionEnder } from '../sessions/session-ends.js'
import { type PasswordCheck, refused, type SignInMethod, type SignInResult } from './sign-in-result.js'
import type { TwoFactorTickets } from './two-factor-ticket.js'
import { attemptKeyOf, type Throttle, type Verdict } from '../throttle/throttle.js'
import type { User } from '../users/user.js'

/** What the methods that open a session take. */
export interface SessionOptions {
  /** The client's name in the list of sessions, for example the User-Agent. */
  readonly client?: string | null | undefined
  /** The network address of the client, `request.ip`. Kept only with option `sessions.recordAddress`. */
  readonly address?: string | null | undefined
}

/** What the methods that check a password take. */
export interface PasswordOptions {
  /**
   * Whether a wrong password counts as a failed attempt. Without it, a name that is locked is still refused, and wrong codes of a second factor
   * count. Default true. Reference: `lockoutOnFailure`.
   */
  readonly lockoutOnFailure?: boolean | undefined
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
  checkPasswordSignIn(user: User, password: string, options?: PasswordOptions): Promise<PasswordCheck>
  /**
   * Opens a session by a code of the authenticator app. The first factor must have been proved: pass the `twoFactorTicket` of the sign-in that
   * requires the second one, or, in the same request, the user whom `checkPasswordSignIn` has checked. The code is used up; `amr` is `mfa`, and
   * the provider's name after a login of another system.
   *
   * A ticket opens one session, within five minutes, whatever number of requests and instances uses it; a wrong code counts as a failed attempt
   * and leaves the ticket as it is.
   *
   * @returns LockedOut, NotAllowed, Failed
   */
  twoFactorAuthenticatorSignIn(
    userOrTicket: User | string,
    code: string,
    options?: SessionOptions,
  ): Promise<SignInResult>
  /** The same by a recovery code; a wrong one counts too, unlike in the reference. */
  twoFactorRecoveryCodeSignIn(
    userOrTicket: User | string,
    code: string,
    options?: SessionOptions,
  ): Promise<SignInResult>
  /**
   * The same by the code of a provider that `users.getValidTwoFactorProviders` names. A code of Email or Phone is
   * used up: as codes of three minutes are equal, a second sign-in within them needs the next code, unless
   * `twoFactor.allowCodeReuse`.
   *
   * @throws Error when there is no such provider
   */
  twoFactorSignIn(
    userOrTicket: User | string,
    provider: string,
    code: string,
    options?: SessionOptions,
  ): Promise<SignInResult>
  /**
   * Opens a session for a login of another system that the host has verified; `amr` is the provider's name.
   * `bypassTwoFactor` (default false) is for providers that ask for a second factor themselves.
   *
   * @returns Failed when no user has this login; NotAllowed, LockedOut, RequiresTwoFactor
   */
  externalLoginSignIn(
    loginProvider: string,
    providerKey: string,
    options?: SessionOptions & {
      readonly bypassTwoFactor?: boolean
      /** Whether this machine has shown the user's second factor before: `signIn.isTwoFactorClientRemembered`. Default: no. */
      readonly isRemembered?: (user: User) => boolean
    },
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
  /** The session that a half-way ticket opens, and when it was issued (seconds). */
  readonly ticket?: { readonly sessionId: string; readonly issuedAt: number } | undefined
}

export interface HostSignInDependencies {
  readonly db: Db
  readonly clock: Clock
  readonly hasher: QueuedHasher
  readonly keys: Pick<Keys, 'vault'>
  readonly tickets: TwoFactorTickets
  readonly sessions: SessionEnder
  readonly secondFactors: SecondFactors
  readonly throttle: Throttle
  readonly canSignIn: (user: UserRecord) => boolean
  readonly open: (found: UserWithGrants, opening: Opening) => Promise<SignInResult>
  readonly rehash: (found: UserWithGrants, password: string) => Promise<UserWithGrants | null>
  /** Reports the result of a sign-in to listeners. */
  readonly report: (user: Pick<User, 'id'> | null, result: SignInResult | PasswordCheck) => void
}

export function createHostSignIn(dependencies: HostSignInDependencies): HostSignIn {
  return {
    ...createPasswordStep(dependencies),
    ...createSecondFactorSteps(dependencies),
    ...createSessionSteps(dependencies),
  }
}

type Report = HostSignInDependencies['report']

function reported<T extends SignInResult | PasswordCheck>(report: Report, user: Pick<User, 'id'> | null, result: T): T {
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
    async checkPasswordSignIn(given, password, { lockoutOnFailure = true } = {}) {
      const { answer } = await throttle.attempt(
        db,
        given.userName,
        async (found, reservation): Promise<Verdict<PasswordCheck>> => {
          const isSame = found?.user.id === given.id
          const verdict = await hasher.verify(isSame ? found.user.passwordHash : null, password)
          if (!isSame || verdict === 'no') return lockoutOnFailure ? 'wrong' : unsettled(refused('Failed'))
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
  const { db, secondFactors, throttle, tickets, open, report } = dependencies

  /** Who has proved the first factor, under which stamp. */
  async function firstFactorOf(given: User | string) {
    if (typeof given === 'string') return tickets.read(given)
    return { userId: given.id, userName: given.userName, stampMark: stampMark(given.securityStamp), sessionId: null }
  }

  async function byCode(
    given: User | string,
    method: SignInMethod,
    { client, address }: SessionOptions,
    verify: (found: FoundUser) => Promise<boolean>,
  ): Promise<SignInResult> {
    const first = await firstFactorOf(given)
    if (first === null) return reported(report, null, refused('Failed'))
    const ticket = first.sessionId === null ? undefined : first
    const { answer } = await throttle.attempt(
      db,
      first.userName,
      async (found, reservation): Promise<Verdict<SignInResult>> => {
        // The first factor was proved under this stamp: under another one it may no longer hold.
        if (found?.user.id !== first.userId || !isMarkOf(first.stampMark, found.user.securityStamp))
          return unsettled(refused('Failed'))
        const reason = barrier(dependencies, found.user)
        if (reason !== null) return unsettled(refused(reason))
        // Uses up no code for a ticket that has served. Of parallel requests the statement that opens the session lets one pass.
        if (ticket !== undefined && !(await isSessionUnused(db, ticket.sessionId))) return unsettled(refused('Failed'))
        if (!(await verify(found))) return 'wrong'
        const amr = ticket === undefined || ticket.loginProvider === null ? ['mfa'] : ['mfa', ticket.loginProvider]
        const opened = await open(found, { method, amr, client, address, reservation, ticket })
        return { answer: opened, isSettled: opened.succeeded }
      },
    )
    return reported(report, { id: first.userId }, typeof answer === 'string' ? refused(answer) : answer)
  }

  return {
    twoFactorAuthenticatorSignIn: (given, code, options = {}) =>
      byCode(given, 'authenticator', options, ({ user, authenticatorKey }) =>
        secondFactors.useAuthenticatorCode(user.id, authenticatorKey, code),
      ),
    twoFactorRecoveryCodeSignIn: (given, code, options = {}) =>
      byCode(given, 'recoveryCode', options, ({ user }) => secondFactors.useRecoveryCode(user, code)),
    async twoFactorSignIn(given, provider, code, options = {}) {
      secondFactors.requireProvider(provider)
      return byCode(given, 'provider', options, ({ user, authenticatorKey }) =>
        secondFactors.useProviderCode(user, authenticatorKey, provider, code),
      )
    },
  }
}

/** Sessions that open on the word of the host or of another system, and their end. */
function createSessionSteps(
  dependencies: HostSignInDependencies,
): Pick<HostSignIn, 'externalLoginSignIn' | 'signIn' | 'signOut'> {
  const { db, keys, tickets, sessions, secondFactors, open, report } = dependencies

  return {
    async externalLoginSignIn(
      loginProvider,
      providerKey,
      { client, address, bypassTwoFactor = false, isRemembered } = {},
    ) {
      const user = isLogin(loginProvider, providerKey) ? await findUserByLogin(db, loginProvider, providerKey) : null
      if (user === null) return reported(report, null, refused('Failed'))
      const reason = await externalBarrier(user)
      if (reason !== null) return reported(report, user, refused(reason))
      if (!bypassTwoFactor && (await hasSecondFactor(user)) && isRemembered?.(user) !== true) {
        const twoFactorTicket = tickets.issue(user, loginProvider)
        return reported(report, user, { succeeded: false, reason: 'RequiresTwoFactor', twoFactorTicket })
      }
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
  async function externalBarrier(user: UserRecord): Promise<'NotAllowed' | 'LockedOut' | null> {
    const reason = barrier(dependencies, user)
    if (reason !== null || !user.lockoutEnabled) return reason
    return (await readAttempts(db, attemptKeyOf(keys.vault(), user.userName))).locked ? 'LockedOut' : null
  }

  async function hasSecondFactor(user: UserRecord): Promise<boolean> {
    if (!user.twoFactorEnabled) return false
    const sealedKey = await findUserToken(db, user.id, authenticatorKeyPlace.loginProvider, authenticatorKeyPlace.name)
    return secondFactors.isRequired(user, sealedKey)
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
