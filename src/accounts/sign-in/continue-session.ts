// Continues a session: by a refresh token, or where the claims of a cookie are due to be read again.
import type { Clock } from '../../clock.js'
import type { Db } from '../../store/db.js'
import { type LiveSession, touchSession } from '../../store/sessions.js'
import { type Claim, isLockedByHand, type UserRecord } from '../../store/users.js'
import { isMarkOf } from '../../tokens/fields.js'
import type { Ticket } from '../../tokens/ticket.js'
import type { Notices } from '../mail/notices.js'
import { gatherRotations } from '../sessions/rotation-batcher.js'
import type { SessionEnder } from '../sessions/session-ends.js'
import type { Notifier } from '../users/hooks.js'
import { withAdded } from './added-claims.js'
import { isRefused, type RequestFacts } from './hook-refusal.js'
import type { SignedIn } from './sign-in-result.js'

export interface ContinuationDependencies {
  readonly db: Db
  readonly clock: Clock
  readonly sessionRules: {
    /** How long ago the last use may be that is written down. */
    readonly unusedSeconds: number | null
  }
  /** Option `claims`. */
  readonly claims: ((user: UserRecord) => readonly Claim[]) | null
  readonly rotateRefreshTokens: boolean
  readonly reuseGraceSeconds: number
  readonly sessions: SessionEnder
  /**
   * Reports sign-ins, and refresh tokens that came back after their successor was used and the grace period was over.
   */
  readonly notifier: Notifier
  readonly notices: Notices
  readonly log: { warn(about: object, message: string): void }
}

export interface Continuation {
  /** The session that a refresh token continues; null when it must not, for any reason. */
  refresh(ticket: Ticket, facts?: RequestFacts): Promise<SignedIn | null>
  /**
   * The session of a ticket that was accepted, as of now; null when it has ended, or its user's stamp was changed past us.
   *
   * @param facts hook `signingIn` is asked; null: it is not
   */
  renew(ticket: Ticket, facts: RequestFacts | null): Promise<SignedIn | null>
  /** The session of a cookie whose claims are due to be read again; null when it has ended or its user's stamp was changed past us. */
  validate(ticket: Ticket, facts?: RequestFacts): Promise<SignedIn | null>
}

export function createContinuation(dependencies: ContinuationDependencies): Continuation {
  const { db, clock, sessions, notifier, claims: added } = dependencies
  const { unusedSeconds } = dependencies.sessionRules
  const rotate = gatherRotations(db, unusedSeconds)
  const touch = (sessionId: string) => touchSession(db, sessionId, unusedSeconds)

  return {
    async refresh(ticket, facts) {
      const { sessionId, counter } = ticket
      // Before the token is used up: a user who is allowed again later goes on with it.
      if (notifier.refusal !== null) {
        const session = await touch(sessionId)
        if (session === null || (await isRefused(dependencies, session.user, 'refresh', facts))) return null
      }
      const moved = dependencies.rotateRefreshTokens ? await rotate(sessionId, counter) : await touch(sessionId)
      return continued(ticket, moved ?? (await healed(ticket)))
    },

    async renew(ticket, facts) {
      const session = await touch(ticket.sessionId)
      if (session !== null && facts !== null && (await isRefused(dependencies, session.user, 'refresh', facts)))
        return null
      return continued(ticket, session)
    },

    async validate(ticket, facts) {
      const signedIn = await continued(ticket, await touch(ticket.sessionId))
      if (signedIn === null || !(await isRefused(dependencies, signedIn.user, 'validation', facts))) return signedIn
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
      : asSignedIn(ticket.sessionId, added === null ? session : { ...session, ...withAdded(session, added) })
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
