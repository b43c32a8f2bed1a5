// Password sign-in, and the refresh of a session. The order of checks is the reference's, with its two leaks closed:
// an unknown user costs what a known one costs, and only the right password gets NotAllowed.
import { isMarkOf } from '../../tokens/fields.js'
import type { Clock } from '../../clock.js'
import type { QueuedHasher } from '../../passwords/hasher.js'
import type { FoundUser } from '../../store/attempts.js'
import type { Db } from '../../store/db.js'
import { type LiveSession, openSession, printable, touchSession } from '../../store/sessions.js'
import { endOldest } from '../../store/session-ends.js'
import {
  type Claim,
  isLockedByHand,
  findUserWithGrants,
  replacePasswordHash,
  type UserRecord,
  type UserWithGrants,
} from '../../store/users.js'
import type { SealingKey } from '../../tokens/seal.js'
import { newConcurrencyStamp, newStamp, newUuidV7 } from '../../tokens/stamp.js'
import type { Ticket } from '../../tokens/ticket.js'
import { gatherRotations } from '../sessions/rotation-batcher.js'
import { isGiven } from '../../absent.js'
import type { Notifier } from '../users/hooks.js'
import { createHostSignIn, type HostSignIn, type Opening, type SessionOptions } from './sign-in-steps.js'
import { withAdded } from './added-claims.js'
import type { Notices } from '../mail/notices.js'
import type { SecondFactors } from '../second-factor/verify.js'
import type { SessionEnder } from '../sessions/session-ends.js'
import { type PasswordCheck, refused, type SignedIn, type SignInMethod, type SignInResult } from './sign-in-result.js'
import type { Throttle, Verdict } from '../throttle/throttle.js'

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
  /** How long ago the last use may be that is written down. */
  readonly unusedSeconds: number | null
  readonly maxPerUser: number | null
  readonly recordAddress: boolean
}

export interface SignInDependencies {
  readonly db: Db
  readonly clock: Clock
  readonly hasher: QueuedHasher
  readonly vault: () => SealingKey
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
  /** Option `claims`. */
  readonly claims: ((user: UserRecord) => readonly Claim[]) | null
  readonly rotateRefreshTokens: boolean
  readonly reuseGraceSeconds: number
  readonly sessions: SessionEnder
  readonly secondFactors: SecondFactors
  /**
   * Reports sign-ins, and refresh tokens that came back after their successor was used and the grace period was over.
   */
  readonly notifier: Notifier
  readonly notices: Notices
  readonly log: { warn(about: object, message: string): void }
}

/** What hook `signingIn` learns of a request. */
export type RequestFacts = SessionOptions

/** What `signIn.passwordSignIn` takes beside name and password. */
export interface SignInOptions extends SessionOptions {
  /** A code of the authenticator app; asked for only where the user has a second factor, and then before a recovery code. */
  readonly twoFactorCode?: string | null | undefined
  /** A recovery code instead, which is used up. */
  readonly twoFactorRecoveryCode?: string | null | undefined
  /** Whether this machine has shown the user's second factor before. Default: no. */
  readonly isRemembered?: (user: UserRecord) => boolean
}

/** `app.identity.signIn`. */
export interface SignInManager extends HostSignIn {
  /**
   * Signs in by user name and password, and the second factor of users who have one, and opens a session. Wrong passwords and codes
   * are counted together and lock the name for a while.
   *
   * @throws FST_IDENTITY_HASHER_BUSY, FST_IDENTITY_DATABASE_UNAVAILABLE
   */
  passwordSignIn(userName: string, password: string, options?: SignInOptions): Promise<SignInResult>
  /** Whether options `signIn` allow this user to sign in. */
  canSignIn(user: UserRecord): boolean
}

/** The same, with the methods for our own routes. */
export interface TicketSignIn extends SignInManager {
  /** What the application gets: nothing but the methods of `app.identity.signIn`. */
  readonly host: SignInManager
  /**
   * Signs in the one of several users whose password it is: a text may be the name of one and the address of another. A wrong password counts
   * against each of them.
   */
  signInAsAny(names: readonly string[], password: string, options?: SignInOptions): Promise<SignInResult>
  /** The session that a refresh token continues; null when it must not, for any reason. */
  refresh(ticket: Ticket, facts?: RequestFacts): Promise<SignedIn | null>
  /** Whether this manager opened it, rather than that of another realm. */
  isOwn(signedIn: SignedIn): boolean
  /** The session of a cookie whose claims are due to be read again; null when it has ended or its user's stamp was changed past us. */
  validate(ticket: Ticket, facts?: RequestFacts): Promise<SignedIn | null>
}

export function createSignInManager(dependencies: SignInDependencies): TicketSignIn {
  const { db, clock, hasher, rules, sessions, throttle, notifier } = dependencies
  const { unusedSeconds, maxPerUser, recordAddress } = dependencies.sessionRules
  const rotate = gatherRotations(db, unusedSeconds)
  const touch = (sessionId: string) => touchSession(db, sessionId, unusedSeconds)
  const withClaims = (found: UserWithGrants) =>
    dependencies.claims === null ? found : withAdded(found, dependencies.claims)
  const opened = new WeakSet<SignedIn>()

  function canSignIn(user: UserRecord): boolean {
    return (
      (!rules.requireConfirmedEmail || user.emailConfirmed) &&
      (!rules.requireConfirmedPhoneNumber || user.phoneNumberConfirmed) &&
      (!rules.requireConfirmedAccount || isConfirmed(user))
    )
  }

  function isConfirmed(user: UserRecord): boolean {
    if (rules.isConfirmed === null) return user.emailConfirmed
    const answer: unknown = rules.isConfirmed({ ...user }) // a promise of a JavaScript host confirms nothing
    return answer === true
  }

  const isUnconfirmed = (user: UserRecord) =>
    (rules.requireConfirmedEmail && !user.emailConfirmed) || (rules.requireConfirmedAccount && !isConfirmed(user))

  /** Whether hook `signingIn` refuses. */
  async function isRefused(user: UserRecord, method: string, { client, address }: RequestFacts = {}): Promise<boolean> {
    if (notifier.refusal === null) return false
    const reason = await notifier.refusal({ user, method, client: printable(client), address: printable(address) })
    if (reason === null) return false
    dependencies.log.warn({ userId: user.id, method, reason }, 'hooks.signingIn refused a sign-in')
    return true
  }

  async function open(
    stored: UserWithGrants,
    { method, amr, client, address, reservation, claims = [] }: Opening,
  ): Promise<SignInResult> {
    if (await isRefused(stored.user, method, { client, address })) return refused('NotAllowed')
    // The host's function may throw: then nothing has been opened.
    const found = withClaims(stored)
    const now = clock()
    const session = {
      id: newUuidV7(now),
      userId: found.user.id,
      securityStamp: found.user.securityStamp,
      createdAt: now,
      expiresAt: now + dependencies.absoluteSeconds * 1000,
      amr,
      client: client ?? null,
      method,
      address: recordAddress ? (address ?? null) : null,
      claims,
    }
    // The stamp has changed since the password was checked: the password may have changed too.
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

  /** Stores the password under today's parameters; as in the reference this rotates the security stamp, and sessions go on under the new one. */
  async function rehash(found: UserWithGrants, password: string): Promise<UserWithGrants | null> {
    const { user } = found
    const passwordHash = await hasher.hash(password)
    const next = { passwordHash, securityStamp: newStamp(), concurrencyStamp: newConcurrencyStamp() }
    if (await replacePasswordHash(db, user, next)) return { ...found, user: { ...user, ...next } }
    // A parallel sign-in was first, or the password was changed: the stored hash decides.
    const now = await findUserWithGrants(db, user.id)
    return now !== null && (await hasher.verify(now.user.passwordHash, password)) !== 'no' ? now : null
  }

  /** The second factor, if one is required and a provider is available. Used up here, after the password was right. */
  async function secondFactor(
    { user, authenticatorKey }: FoundUser,
    options: SignInOptions,
  ): Promise<SignInMethod | 'wrong' | 'missing'> {
    const isRequired = user.twoFactorEnabled && (await dependencies.secondFactors.isRequired(user, authenticatorKey))
    if (!isRequired || options.isRemembered?.(user) === true) return 'password'
    const { twoFactorCode, twoFactorRecoveryCode } = options
    if (isGiven(twoFactorCode)) {
      return (await dependencies.secondFactors.useAuthenticatorCode(user.id, authenticatorKey, twoFactorCode))
        ? 'authenticator'
        : 'wrong'
    }
    if (isGiven(twoFactorRecoveryCode)) {
      return (await dependencies.secondFactors.useRecoveryCode(user, twoFactorRecoveryCode)) ? 'recoveryCode' : 'wrong'
    }
    return 'missing'
  }

  function report(user: UserRecord | null, result: SignInResult | PasswordCheck): void {
    if (!result.succeeded) notifier.emit('signInFailed', { userId: user?.id ?? null, reason: result.reason })
    else if ('signedIn' in result) {
      const { signedIn, method } = result
      notifier.emit('signInSucceeded', { userId: signedIn.user.id, sessionId: signedIn.sessionId, method })
    }
  }

  /** A right password is that of one user; which factor was wrong then is not tried with another user. */
  async function attempt(
    [userName = '', ...others]: readonly string[],
    password: string,
    options: SignInOptions,
  ): Promise<{ readonly user: UserRecord | null; readonly result: SignInResult }> {
    const tried: Awaited<ReturnType<typeof attempt>>[] = []
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
            ? 'wrong'
            : { answer: elsewhere.result, isSettled: false }
        }
        if (dependencies.hidesUnconfirmed && isUnconfirmed(found.user)) return 'wrong'
        if (!canSignIn(found.user)) return { answer: refused('NotAllowed'), isSettled: false }
        if (isLockedByHand(found.user, clock())) return { answer: refused('LockedOut'), isSettled: false }
        const current = verdict === 'yes' ? found : await rehash(found, password)
        if (current === null) return { answer: refused('Failed'), isSettled: false }
        const method = await secondFactor(found, options)
        if (method === 'wrong') return 'wrong'
        if (method === 'missing') return { answer: refused('RequiresTwoFactor'), isSettled: false }
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

  const host: SignInManager = {
    ...createHostSignIn({ ...dependencies, canSignIn, open, rehash, report }),
    canSignIn,
    passwordSignIn: (userName, password, options) => signInAsAny([userName], password, options),
  }

  return {
    ...host,
    host,
    signInAsAny,
    isOwn: (signedIn) => opened.has(signedIn),

    async refresh(ticket, facts) {
      const { sessionId, counter } = ticket
      // Before the token is used up: a user who is allowed again later goes on with it.
      if (notifier.refusal !== null) {
        const session = await touch(sessionId)
        if (session === null || (await isRefused(session.user, 'refresh', facts))) return null
      }
      const moved = dependencies.rotateRefreshTokens ? await rotate(sessionId, counter) : await touch(sessionId)
      return continued(ticket, moved ?? (await healed(ticket)))
    },

    async validate(ticket, facts) {
      const signedIn = await continued(ticket, await touch(ticket.sessionId))
      if (signedIn === null || !(await isRefused(signedIn.user, 'validation', facts))) return signedIn
      sessions.ended(await sessions.end(db, { id: ticket.sessionId }, 'revoked'), 'revoked')
      return null
    },
  }

  async function continued(ticket: Ticket, found: LiveSession | null): Promise<SignedIn | null> {
    // What a change that was under way has left is read once more: its statement may have seen the user of before and the session of after.
    const session = found === null || isUnderStamp(ticket, found) ? found : await touch(ticket.sessionId)
    if (session === null) return null
    if (!isUnderStamp(ticket, session)) {
      const ended = await sessions.end(db, { id: ticket.sessionId }, 'stampChanged')
      sessions.ended(ended, 'stampChanged')
      return null
    }
    return isLockedByHand(session.user, clock())
      ? null
      : asSignedIn(ticket.sessionId, { ...session, ...withClaims(session) })
  }

  // The counter differs from the token's. One step behind within the grace period: an answer was lost, or a second
  // tab was faster; it gets the current successor. Ahead: the database was restored from a backup. Anything else is a
  // token used twice, where owner and thief look the same, so both must sign in again (RFC 9700 §4.14.2).
  async function healed({ sessionId, counter }: Ticket): Promise<LiveSession | null> {
    if (!dependencies.rotateRefreshTokens) return null
    const session = await touch(sessionId)
    if (session === null || counter > session.counter) return null
    const withinGrace =
      session.secondsSinceRotation !== null && session.secondsSinceRotation < dependencies.reuseGraceSeconds
    if (counter === session.counter - 1 && withinGrace) return session
    // Of parallel replays, here or on other instances, one ends the session and reports it. The user's others end
    // with it: an attacker with one token may have more.
    let ended: readonly string[] = []
    const isFirst = await dependencies.notices.withNotice(db, 'refreshTokenReused', session.user, async (place) => {
      ended = await sessions.end(place, { userId: session.user.id }, 'reuse')
      return ended.includes(sessionId)
    })
    sessions.ended(ended, 'reuse')
    if (!isFirst) return null
    notifier.emit('refreshTokenReused', { userId: session.user.id, sessionId })
    return null
  }
}

/** Whether a result leaves open that the password is another user's. */
function isWrong(result: SignInResult): boolean {
  return !result.succeeded && (result.reason === 'Failed' || result.reason === 'LockedOut')
}

/** Whether the user's stamp is the one that the session lives under; changes of ours bring the session along, SQL of others does not. */
function isUnderStamp(ticket: Ticket, { sessionStamp, user }: LiveSession): boolean {
  return sessionStamp === null ? isMarkOf(ticket.stamp, user.securityStamp) : sessionStamp === user.securityStamp
}

function asSignedIn(sessionId: string, session: LiveSession): SignedIn {
  const { user, roles, claims, counter, createdAt, expiresAt, amr, sessionClaims } = session
  return {
    user,
    roles,
    claims,
    sessionId,
    counter,
    authenticatedAt: createdAt,
    sessionExpiresAt: expiresAt,
    amr,
    sessionClaims,
  }
}
