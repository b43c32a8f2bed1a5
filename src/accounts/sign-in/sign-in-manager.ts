// Sign-in by password. The order of checks is the reference's, with its two leaks closed: an unknown user costs what a
// known one costs, and only the right password gets NotAllowed.
import { isGiven } from '../../absent.js'
import type { QueuedHasher } from '../../passwords/hasher.js'
import type { FoundUser } from '../../store/attempts.js'
import { openSession } from '../../store/sessions.js'
import { endOldest } from '../../store/session-ends.js'
import { isLockedByHand, type UserRecord, type UserWithGrants } from '../../store/users.js'
import { newUuidV7 } from '../../tokens/stamp.js'
import type { Keys } from '../keys/key-manager.js'
import type { SecondFactors } from '../second-factor/verify.js'
import type { Throttle, Verdict } from '../throttle/throttle.js'
import type { Notifier } from '../users/hooks.js'
import { withAdded } from './added-claims.js'
import { type Continuation, type ContinuationDependencies, createContinuation } from './continue-session.js'
import { isRefused } from './hook-refusal.js'
import { rehash } from './rehash.js'
import { type PasswordCheck, refused, type SignedIn, type SignInMethod, type SignInResult } from './sign-in-result.js'
import {
  createHostSignIn,
  type HostSignIn,
  type Opening,
  type PasswordOptions,
  type SessionOptions,
} from './sign-in-steps.js'
import { createTwoFactorTickets, type TwoFactorTickets } from './two-factor-ticket.js'

export type { SignedIn, SignInFailure, SignInMethod, SignInResult } from './sign-in-result.js'

export interface SignInRules {
  readonly requireConfirmedEmail: boolean
  readonly requireConfirmedPhoneNumber: boolean
  readonly requireConfirmedAccount: boolean
  /** What a confirmed account is; null: one with a confirmed address. */
  readonly isConfirmed: ((user: UserRecord) => boolean) | null
}

/** Null: without a limit. */
export interface SessionRules {
  /** See `ContinuationDependencies`. */
  readonly unusedSeconds: number | null
  readonly maxPerUser: number | null
  readonly recordAddress: boolean
}

export interface SignInDependencies extends ContinuationDependencies {
  readonly hasher: QueuedHasher
  readonly keys: Pick<Keys, 'sealing' | 'find' | 'reload' | 'vault'>
  readonly throttle: Throttle
  readonly rules: SignInRules
  /**
   * Whether the right password of an unconfirmed address is answered, and counted, as a wrong one: otherwise a
   * registration followed by a sign-in would show whether the address was free.
   */
  readonly hidesUnconfirmed: boolean
  readonly absoluteSeconds: number
  /** Option `sessions`, without its lifetime. */
  readonly sessionRules: SessionRules
  readonly secondFactors: SecondFactors
}

/** What `signIn.passwordSignIn` takes beside name and password. */
export interface SignInOptions extends SessionOptions, PasswordOptions {
  /** A code of the authenticator app; asked for only where the user has a second factor, and then before a recovery code. */
  readonly twoFactorCode?: string | null | undefined
  /** A recovery code instead, which is used up. */
  readonly twoFactorRecoveryCode?: string | null | undefined
  /** Whether this machine has shown the user's second factor before: `signIn.isTwoFactorClientRemembered`. Default: no. */
  readonly isRemembered?: (user: UserRecord) => boolean
}

/** `app.identity.signIn`. */
export interface SignInManager extends HostSignIn {
  /**
   * Signs in by user name and password, and the second factor of users who have one, and opens a session. Wrong passwords and codes
   * are counted together and lock the name for a while.
   *
   * Where the second factor is missing, the result is `RequiresTwoFactor` with a ticket, by which a later request goes on with the code.
   *
   * @throws FST_IDENTITY_HASHER_BUSY, FST_IDENTITY_DATABASE_UNAVAILABLE
   */
  passwordSignIn(userName: string, password: string, options?: SignInOptions): Promise<SignInResult>
  /** Whether options `signIn` allow this user to sign in. */
  canSignIn(user: UserRecord): boolean
}

/** The same, with the methods for our own routes. */
export interface TicketSignIn extends SignInManager, Continuation {
  /** What the application gets: nothing but the methods of `app.identity.signIn`. */
  readonly host: SignInManager
  /**
   * Signs in the one of several users whose password it is: a text may be the name of one and the address of another. A wrong password counts
   * against each of them.
   */
  signInAsAny(names: readonly string[], password: string, options?: SignInOptions): Promise<SignInResult>
  /** Whether this manager opened it, rather than that of another realm. */
  isOwn(signedIn: SignedIn): boolean
}

export function createSignInManager(dependencies: SignInDependencies): TicketSignIn {
  const { db, hasher } = dependencies
  const eligibility = createEligibility(dependencies.rules)
  const opened = new WeakSet<SignedIn>()
  const open = createOpening(dependencies, opened)
  const report = createReport(dependencies.notifier)
  const renewHash = (found: UserWithGrants, password: string) => rehash(db, hasher, found, password)
  const tickets = createTwoFactorTickets(dependencies.keys, dependencies.clock)
  const attempt = createAttempt(dependencies, eligibility, tickets, open, renewHash)

  async function signInAsAny(
    names: readonly string[],
    password: string,
    options: SignInOptions = {},
  ): Promise<SignInResult> {
    // In one order, whatever was typed: two attempts never wait for each other's name.
    const { user, result } = await attempt([...names].sort(), password, options)
    report(user, result)
    return result
  }

  const { canSignIn } = eligibility
  const host: SignInManager = {
    ...createHostSignIn({ ...dependencies, tickets, canSignIn, open, rehash: renewHash, report }),
    canSignIn,
    passwordSignIn: (userName, password, options) => signInAsAny([userName], password, options),
  }
  return {
    ...host,
    ...createContinuation(dependencies),
    host,
    signInAsAny,
    isOwn: (signedIn) => opened.has(signedIn),
  }
}

type Open = (stored: UserWithGrants, opening: Opening) => Promise<SignInResult>
type Rehash = (found: UserWithGrants, password: string) => Promise<UserWithGrants | null>

interface Eligibility {
  readonly canSignIn: (user: UserRecord) => boolean
  readonly isUnconfirmed: (user: UserRecord) => boolean
}

/** Which users may sign in, by options `signIn`. */
function createEligibility(rules: SignInRules): Eligibility {
  function isConfirmed(user: UserRecord): boolean {
    if (rules.isConfirmed === null) return user.emailConfirmed
    const answer: unknown = rules.isConfirmed({ ...user }) // a promise of a JavaScript host confirms nothing
    return answer === true
  }

  return {
    canSignIn: (user) =>
      (!rules.requireConfirmedEmail || user.emailConfirmed) &&
      (!rules.requireConfirmedPhoneNumber || user.phoneNumberConfirmed) &&
      (!rules.requireConfirmedAccount || isConfirmed(user)),
    isUnconfirmed: (user) =>
      (rules.requireConfirmedEmail && !user.emailConfirmed) || (rules.requireConfirmedAccount && !isConfirmed(user)),
  }
}

/** Opens sessions. @param opened where each is noted */
function createOpening(dependencies: SignInDependencies, opened: WeakSet<SignedIn>): Open {
  const { db, clock, sessions, notifier, claims: added } = dependencies
  const { maxPerUser, recordAddress } = dependencies.sessionRules

  /** Two sign-ins at once see each other's sessions here, where a condition of the statement that opens them would not. */
  async function endSurplus(userId: string, sessionId: string, most: number): Promise<void> {
    try {
      sessions.ended(await endOldest(db, userId, most), 'tooMany')
    } catch (error) {
      // A sign-in that fails leaves no session.
      await sessions.end(db, { id: sessionId }, 'revoked').catch(() => undefined)
      throw error
    }
  }

  return async function open(
    stored: UserWithGrants,
    { method, amr, client, address, reservation, claims = [], ticket }: Opening,
  ): Promise<SignInResult> {
    if (notifier.refusal !== null && (await isRefused(dependencies, stored.user, method, { client, address })))
      return refused('NotAllowed')
    // The host's function may throw: then nothing has been opened.
    const found = added === null ? stored : withAdded(stored, added)
    const now = clock()
    const session = {
      id: ticket?.sessionId ?? newUuidV7(now),
      isGivenId: ticket !== undefined,
      userId: found.user.id,
      securityStamp: found.user.securityStamp,
      createdAt: now,
      // As the id says when the session began.
      expiresAt: (ticket === undefined ? now : ticket.issuedAt * 1000) + dependencies.absoluteSeconds * 1000,
      amr,
      client: client ?? null,
      method,
      address: recordAddress ? (address ?? null) : null,
      claims,
    }
    // The stamp has changed since the password was checked: the password may have changed too. Or the ticket was used before.
    if (!(await openSession(db, session, reservation))) return refused('Failed')
    if (maxPerUser !== null) await endSurplus(session.userId, session.id, maxPerUser)
    const signedIn = {
      ...found,
      sessionId: session.id,
      counter: 0,
      authenticatedAt: now,
      sessionExpiresAt: session.expiresAt,
      amr,
      sessionClaims: claims,
    }
    opened.add(signedIn)
    return { succeeded: true, signedIn, method }
  }
}

/** Reports results to listeners. */
function createReport(notifier: Notifier) {
  return (user: Pick<UserRecord, 'id'> | null, result: SignInResult | PasswordCheck): void => {
    if (!result.succeeded) notifier.emit('signInFailed', { userId: user?.id ?? null, reason: result.reason })
    else if ('signedIn' in result) {
      const { signedIn, method } = result
      notifier.emit('signInSucceeded', { userId: signedIn.user.id, sessionId: signedIn.sessionId, method })
    }
  }
}

/** The second factor, if one is required and a provider is available. Used up here, after the password was right. */
async function secondFactor(
  secondFactors: SecondFactors,
  { user, authenticatorKey }: FoundUser,
  options: SignInOptions,
): Promise<SignInMethod | 'wrong' | 'missing'> {
  const isRequired = user.twoFactorEnabled && (await secondFactors.isRequired(user, authenticatorKey))
  if (!isRequired || options.isRemembered?.(user) === true) return 'password'
  const { twoFactorCode, twoFactorRecoveryCode } = options
  if (isGiven(twoFactorCode)) {
    return (await secondFactors.useAuthenticatorCode(user.id, authenticatorKey, twoFactorCode))
      ? 'authenticator'
      : 'wrong'
  }
  if (isGiven(twoFactorRecoveryCode)) {
    return (await secondFactors.useRecoveryCode(user, twoFactorRecoveryCode)) ? 'recoveryCode' : 'wrong'
  }
  return 'missing'
}

interface Attempted {
  readonly user: UserRecord | null
  readonly result: SignInResult
}

/** Verifies the factors, and opens a session. */
function createAttempt(
  { db, clock, hasher, throttle, secondFactors, hidesUnconfirmed }: SignInDependencies,
  { canSignIn, isUnconfirmed }: Eligibility,
  tickets: TwoFactorTickets,
  open: Open,
  renewHash: Rehash,
) {
  /** A right password is that of one user; which factor was wrong then is not tried with another user. */
  return async function attempt(
    [userName = '', ...others]: readonly string[],
    password: string,
    options: SignInOptions,
  ): Promise<Attempted> {
    const wrong = options.lockoutOnFailure === false ? { answer: refused('Failed'), isSettled: false } : 'wrong'
    const tried: Attempted[] = []
    const tryOthers = async () => {
      if (others.length > 0) tried.push(await attempt(others, password, options))
      return tried[0]
    }
    const { found, answer } = await throttle.attempt(
      db,
      userName,
      async (found, reservation): Promise<Verdict<SignInResult>> => {
        const verdict = await hasher.verify(found?.user.passwordHash ?? null, password)
        if (found === null || verdict === 'no') {
          const elsewhere = await tryOthers()
          return elsewhere === undefined || isWrong(elsewhere.result)
            ? wrong
            : { answer: elsewhere.result, isSettled: false }
        }
        if (hidesUnconfirmed && isUnconfirmed(found.user)) return wrong
        if (!canSignIn(found.user)) return { answer: refused('NotAllowed'), isSettled: false }
        if (isLockedByHand(found.user, clock())) return { answer: refused('LockedOut'), isSettled: false }
        const current = verdict === 'yes' ? found : await renewHash(found, password)
        if (current === null) return { answer: refused('Failed'), isSettled: false }
        const method = await secondFactor(secondFactors, found, options)
        if (method === 'wrong') return 'wrong'
        if (method === 'missing') {
          const twoFactorTicket = tickets.issue(current.user)
          return { answer: { succeeded: false, reason: 'RequiresTwoFactor', twoFactorTicket }, isSettled: false }
        }
        const result = await open(current, {
          method,
          amr: [method === 'password' ? 'pwd' : 'mfa'],
          client: options.client,
          address: options.address,
          reservation,
        })
        return { answer: result, isSettled: result.succeeded }
      },
    )
    // A locked name was not verified: its lock does not keep another user out.
    const elsewhere = tried[0] ?? (answer === 'LockedOut' && found === null ? await tryOthers() : undefined)
    if (elsewhere !== undefined && !isWrong(elsewhere.result)) return elsewhere
    return { user: found?.user ?? null, result: typeof answer === 'string' ? refused(answer) : answer }
  }
}

/** Whether a result leaves open that the password is another user's. */
function isWrong(result: SignInResult): boolean {
  return !result.succeeded && (result.reason === 'Failed' || result.reason === 'LockedOut')
}
