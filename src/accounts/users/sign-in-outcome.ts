// How sign-ins succeed and fail, as results and events say it. Below both: events are emitted by managers of every subject.

/** The reference's SignInResult in the words that its clients see. */
export type SignInFailure = 'Failed' | 'LockedOut' | 'NotAllowed' | 'RequiresTwoFactor'

/**
 * How a sign-in was completed: `provider` is a code of a named provider, `external` a login of another system, `host`
 * the application's word.
 */
export type SignInMethod = 'password' | 'authenticator' | 'recoveryCode' | 'provider' | 'external' | 'host'
