// The result of a sign-in.
import type { Claim, UserWithGrants } from '../../store/users.js'
import type { SignInFailure, SignInMethod } from '../users/sign-in-outcome.js'

export type { SignInFailure, SignInMethod }

/** A session with its user as of now: what tickets are made from. Times are milliseconds since the epoch. */
export interface SignedIn extends UserWithGrants {
  /** Stored claims, the user's own before those of roles, and those of option `claims`. */
  readonly claims: readonly Claim[]
  /** The id of the session. */
  readonly sessionId: string
  /** How often the session was refreshed. */
  readonly counter: number
  /** When the user signed in. */
  readonly authenticatedAt: number
  /** When the session ends at the latest, see option `sessions.absoluteSeconds`. */
  readonly sessionExpiresAt: number
  /** How the user signed in: `pwd` or `mfa` (RFC 8176), or the name of another system. */
  readonly amr: readonly string[]
  /** Claims of this session alone. */
  readonly sessionClaims: readonly Claim[]
}

/** The result of a sign-in: a refused one is a value, not an exception. */
export type SignInResult =
  | {
      /** Whether a session was opened. */
      readonly succeeded: true
      /** The session, for `signIn.sendTokens` and `signIn.setCookie`. */
      readonly signedIn: SignedIn
      /** How the sign-in was completed. */
      readonly method: SignInMethod
    }
  | {
      /** Whether a session was opened. */
      readonly succeeded: false
      /** Why not. */
      readonly reason: Exclude<SignInFailure, 'RequiresTwoFactor'>
    }
  | {
      /** Whether a session was opened. */
      readonly succeeded: false
      /** The first factor is proved, and the user has a second one. */
      readonly reason: 'RequiresTwoFactor'
      /**
       * The half-way ticket: within five minutes one of the methods that ask for a code takes it, once. For `signIn.setTwoFactorCookie`, or for the
       * body of an answer to a client without cookies. A change of password, second factor or name ends it.
       */
      readonly twoFactorTicket: string
    }

/** A password that was checked without opening a session. */
export type PasswordCheck =
  | {
      /** Whether the password is right and the user may sign in. */
      readonly succeeded: true
      /** true: go on with one of the methods that ask for a code; false: with `signIn`. */
      readonly requiresTwoFactor: boolean
    }
  | {
      /** Whether the password is right and the user may sign in. */
      readonly succeeded: false
      /** Why not. */
      readonly reason: Exclude<SignInFailure, 'RequiresTwoFactor'>
    }

export function refused<Reason extends Exclude<SignInFailure, 'RequiresTwoFactor'>>(
  reason: Reason,
): { readonly succeeded: false; readonly reason: Reason } {
  return { succeeded: false, reason }
}
