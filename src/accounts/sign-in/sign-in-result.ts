// The result of a sign-in.
import type { Claim, UserWithGrants } from '../../store/users.js'

/** The reference's SignInResult in the words that its clients see. */
export type SignInFailure = 'Failed' | 'LockedOut' | 'NotAllowed' | 'RequiresTwoFactor'

/** A session with its user as of now: what tickets are made from. Times are milliseconds since the epoch. */
export interface SignedIn extends UserWithGrants {
  readonly sessionId: string
  readonly counter: number
  readonly authenticatedAt: number
  readonly sessionExpiresAt: number
  readonly amr: readonly string[]
  /** Claims of this session alone. */
  readonly sessionClaims: readonly Claim[]
}

/**
 * How a sign-in was completed: `provider` is a code of a named provider, `external` a login of another system, `host`
 * the application's word.
 */
export type SignInMethod = 'password' | 'authenticator' | 'recoveryCode' | 'provider' | 'external' | 'host'

export type SignInResult =
  | { readonly succeeded: true; readonly signedIn: SignedIn; readonly method: SignInMethod }
  | { readonly succeeded: false; readonly reason: SignInFailure }

/** A password that was checked without opening a session. */
export type PasswordCheck =
  /** `requiresTwoFactor`: go on with one of the methods that ask for a code; else with `signIn`. */
  | { readonly succeeded: true; readonly requiresTwoFactor: boolean }
  | { readonly succeeded: false; readonly reason: Exclude<SignInFailure, 'RequiresTwoFactor'> }

export function refused<Reason extends SignInFailure>(
  reason: Reason,
): { readonly succeeded: false; readonly reason: Reason } {
  return { succeeded: false, reason }
}
