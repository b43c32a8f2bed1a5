// Who may come in: password sign-in, and the refresh of a session. The order of checks is the reference's, with its two leaks closed:
// an unknown user costs what a known one costs, and NotAllowed is told only to who knows the password.
import type { Clock } from '../clock.js'
import { SignInsCrowded } from '../errors.js'
import type { QueuedHasher } from '../passwords/hasher.js'
import { admitAttempt, failAttempt, type LockoutLimits, releaseAttempt } from '../store/attempts.js'
import type { Db } from '../store/database.js'
import { type LiveSession, openSession, rotateSession, touchSession } from '../store/sessions.js'
import { findUserWithGrants, replacePasswordHash, type UserRecord, type UserWithGrants } from '../store/users.js'
import type { SealingKey } from '../tokens/seal.js'
import { mac } from '../tokens/seal.js'
import { isMarkOf, newStamp, newUuidV7 } from '../tokens/stamp.js'
import type { Ticket } from '../tokens/ticket.js'
import { normalizeName } from './names.js'
import type { SessionEnder } from './session-manager.js'

/** The reference's SignInResult in the words that its clients see. */
export type SignInFailure = 'Failed' | 'LockedOut' | 'NotAllowed' | 'RequiresTwoFactor'

/** A session with its user as of now: what tickets are made from. Times are milliseconds since the epoch. */
export interface SignedIn extends UserWithGrants {
  readonly sessionId: string
  readonly counter: number
  readonly authenticatedAt: number
  readonly sessionExpiresAt: number
  readonly amr: readonly string[]
}

export type SignInResult =
  | { readonly succeeded: true, readonly signedIn: SignedIn }
  | { readonly succeeded: false, readonly reason: SignInFailure }

export interface SignInRules {
  readonly requireConfirmedEmail: boolean
  readonly requireConfirmedPhoneNumber: boolean
  readonly requireConfirmedAccount: boolean
}

export interface SignInDependencies {
  readonly db: Db
  readonly clock: Clock
  readonly hasher: QueuedHasher
  readonly vault: () => SealingKey
  readonly limits: LockoutLimits
  /** Whether names without a user are throttled as those of new users would be. */
  readonly lockoutForNewUsers: boolean
  readonly rules: SignInRules
  readonly absoluteSeconds: number
  readonly rotateRefreshTokens: boolean
  readonly reuseGraceSeconds: number
  readonly sessions: SessionEnder
  /** A refresh token came back after its successor had been used and its time of grace was over. */
  readonly onReuse: (session: { userId: string, sessionId: string }) => void
}

/** `app.identity.signIn`. */
export interface SignInManager {
  /**
   * Signs in by user name and password and opens a session. Wrong passwords are counted and lock the name for a while.
   *
   * @param client what the session's owner will know it by, for example the User-Agent
   * @throws FST_IDENTITY_HASHER_BUSY, FST_IDENTITY_DATABASE_UNAVAILABLE
   */
  passwordSignIn(userName: string, password: string, client?: string | null): Promise<SignInResult>
  /** Whether options `signIn` let this user in. */
  canSignIn(user: UserRecord): boolean
  /** The session that a refresh token continues; null when it must not, whatever the reason. */
  refresh(ticket: Ticket): Promise<SignedIn | null>
  /** The session of a cookie whose claims are due to be read again; null when it has ended or its user's stamp has changed. */
  validate(ticket: Ticket): Promise<SignedIn | null>
}

// How long a sign-in waits for others of the same name that are being verified, before it gives up with 503 (security D8).
const crowdedWaits = 150
const crowdedMilliseconds = 13

export function createSignInManager(dependencies: SignInDependencies): SignInManager {
  const { db, clock, hasher, limits, rules, sessions } = dependencies

  /** The throttle's row of a name: keyed, because what people type as a name may be their password. */
  function attemptKey(userName: string): Buffer {
    return mac(dependencies.vault(), 'throttle', normalizeName(userName) ?? userName)
  }

  async function admitted(key: Buffer, normalizedName: string) {
    for (let wait = 0; ; wait++) {
      const admission = await admitAttempt(db, key, normalizedName, limits, dependencies.lockoutForNewUsers)
      if (admission.state !== 'crowded' || wait === crowdedWaits) return admission
      await new Promise((resolve) => setTimeout(resolve, crowdedMilliseconds))
    }
  }

  function canSignIn(user: UserRecord): boolean {
    return (!rules.requireConfirmedEmail || user.emailConfirmed)
      && (!rules.requireConfirmedPhoneNumber || user.phoneNumberConfirmed)
      && (!rules.requireConfirmedAccount || user.emailConfirmed)
  }

  async function open(found: UserWithGrants, amr: readonly string[], client: string | null, key: Buffer | null): Promise<SignInResult> {
    const now = clock()
    const session = {
      id: newUuidV7(now),
      userId: found.user.id,
      securityStamp: found.user.securityStamp,
      createdAt: now,
      expiresAt: now + dependencies.absoluteSeconds * 1000,
      amr,
      client: client === null ? null : printable(client),
    }
    // The stamp has changed since the password was checked: it may no longer be the right one.
    if (!await openSession(db, session, key)) return refused('Failed')
    return {
      succeeded: true,
      signedIn: { ...found, sessionId: session.id, counter: 0, authenticatedAt: now, sessionExpiresAt: session.expiresAt, amr },
    }
  }

  /** Stores the password under today's parameters; as in the reference this rotates the security stamp. */
  async function rehash(found: UserWithGrants, password: string): Promise<UserWithGrants | null> {
    const { user } = found
    const passwordHash = await hasher.hash(password)
    const securityStamp = newStamp()
    if (user.passwordHash !== null && await replacePasswordHash(db, user.id, user.passwordHash, passwordHash, securityStamp)) {
      return { ...found, user: { ...user, passwordHash, securityStamp } }
    }
    // A sign-in beside this one was first, or the password was changed: what stands there now decides.
    const current = await findUserWithGrants(db, user.id)
    return current !== null && await hasher.verify(current.user.passwordHash, password) !== 'no' ? current : null
  }

  return {
    canSignIn,

    async passwordSignIn(userName, password, client = null) {
      const key = attemptKey(userName)
      const admission = await admitted(key, normalizeName(userName) ?? '')
      if (admission.state === 'locked') return refused('LockedOut')
      if (admission.state === 'crowded') throw new SignInsCrowded()
      const { found, tracked } = admission
      let settled = !tracked
      try {
        const verdict = await hasher.verify(found?.user.passwordHash ?? null, password)
        if (found === null || verdict === 'no') {
          settled = true
          return refused(tracked && await failAttempt(db, key, limits) ? 'LockedOut' : 'Failed')
        }
        if (!canSignIn(found.user)) return refused('NotAllowed')
        if (isLockedByHand(found.user, clock())) return refused('LockedOut')
        const current = verdict === 'yes' ? found : await rehash(found, password)
        if (current === null) return refused('Failed')
        const result = await open(current, ['pwd'], client, tracked ? key : null)
        settled ||= result.succeeded
        return result
      } finally {
        // Neither wrong nor complete, or broken off: the reservation goes back, and an error of the way out is the one that counts.
        if (!settled) await releaseAttempt(db, key).catch(() => undefined)
      }
    },

    async refresh(ticket) {
      const { sessionId, counter } = ticket
      const moved = dependencies.rotateRefreshTokens ? await rotateSession(db, sessionId, counter) : await touchSession(db, sessionId)
      const session = moved ?? await healed(ticket)
      if (session === null || !isMarkOf(ticket.stamp, session.user.securityStamp)) return null
      return asSignedIn(sessionId, session)
    },

    async validate(ticket) {
      const session = await touchSession(db, ticket.sessionId)
      if (session === null || !isMarkOf(ticket.stamp, session.user.securityStamp)) return null
      return asSignedIn(ticket.sessionId, session)
    },
  }

  // The counter was not where the token says. One behind within the time of grace: an answer was lost, or a second tab was faster, and
  // gets the successor that there is. Ahead: the database was restored from a backup. Anything else is a token used twice, and
  // nobody can tell the owner from the thief, so both must sign in again (RFC 9700 §4.14.2).
  async function healed({ sessionId, counter }: Ticket): Promise<LiveSession | null> {
    if (!dependencies.rotateRefreshTokens) return null
    const session = await touchSession(db, sessionId)
    if (session === null || counter > session.counter) return null
    const withinGrace = session.secondsSinceRotation !== null && session.secondsSinceRotation < dependencies.reuseGraceSeconds
    if (counter === session.counter - 1 && withinGrace) return session
    sessions.ended(await sessions.end(db, { id: sessionId }))
    dependencies.onReuse({ userId: session.user.id, sessionId })
    return null
  }
}

function refused(reason: SignInFailure): SignInResult {
  return { succeeded: false, reason }
}

function isLockedByHand(user: UserRecord, now: number): boolean {
  return user.lockoutEnabled && user.lockoutEnd !== null && user.lockoutEnd.getTime() >= now
}

function asSignedIn(sessionId: string, session: LiveSession): SignedIn {
  const { user, roles, claims, counter, createdAt, expiresAt, amr } = session
  return { user, roles, claims, sessionId, counter, authenticatedAt: createdAt, sessionExpiresAt: expiresAt, amr }
}

/** A client's own words about itself, without control characters, cut to what the column is read for. */
function printable(client: string): string {
  return client.toWellFormed().replace(/\p{Cc}/gu, ' ').slice(0, 256)
}
