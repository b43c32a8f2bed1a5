// Every error that leaves this package, and every code of an expected failure. Outcomes that a caller must expect (a
// weak password) are values, see IdentityResult; errors are misconfigurations, or failures of another system.
import createError from '@fastify/error'

/** The database is not reachable or did not answer in time, or tables are missing, as while a backup is restored. Answered as 503 with Retry-After. */
export const DatabaseUnavailable = createError<[]>(
  'FST_IDENTITY_DATABASE_UNAVAILABLE',
  'The database is not available',
  503,
)

/**
 * The password queue is full (`password.hasher.maxQueue`), or a password waited too long in it. Answered as 503 with
 * Retry-After.
 */
export const HasherBusy = createError<[]>('FST_IDENTITY_HASHER_BUSY', 'Too many sign-ins at once', 503)

/** Too many sign-ins of one name are being verified at once. Answered as 503 with Retry-After. */
export const SignInsCrowded = createError<[]>(
  'FST_IDENTITY_SIGN_INS_CROWDED',
  'Too many sign-ins of one name at once',
  503,
)

/** Other transactions kept changing the same rows (SQLSTATE 40001, 40P01). Answered as 503 with Retry-After. */
export const DatabaseContention = createError<[]>(
  'FST_IDENTITY_DATABASE_CONTENTION',
  'The database could not finish a conflicting change',
  503,
)

/** Revocations could not be read for longer than a request may trust its token. Answered as 503 with Retry-After. */
export const RevocationUnknown = createError<[]>(
  'FST_IDENTITY_REVOCATION_UNKNOWN',
  'Sessions cannot be checked right now',
  503,
)

/**
 * Roles and claims of a ticket, or the data of a code, do not fit into a token. Nothing is truncated: the sign-in
 * fails.
 */
export const TokenTooLarge = createError<[characters: number, limit: number]>(
  'FST_IDENTITY_TOKEN_TOO_LARGE',
  'A token of %s characters was not made, since at most %s are carried. Give the user fewer roles or claims',
  500,
)

/** A cookie with all roles and claims of this user would exceed the limit of browsers. */
export const CookieTooLarge = createError<[]>(
  'FST_IDENTITY_COOKIE_TOO_LARGE',
  'The cookie exceeds the 4,096 bytes that browsers keep. Give this user fewer or shorter roles and claims',
  500,
)

/** `signIn.setCookie` was called while option `cookies` is false. */
export const CookiesOff = createError<[]>(
  'FST_IDENTITY_COOKIES_OFF',
  "Option 'cookies' is false, so that no cookie is set. Leave it on, or answer with signIn.sendTokens",
  500,
)

/** An option is missing, of the wrong type, or contradicts another. Thrown by `register`. */
export const InvalidOption = createError<[option: string, problem: string, remedy: string]>(
  'FST_IDENTITY_INVALID_OPTION',
  "Option '%s' %s. %s",
  500,
)

/** No database is named. Thrown by `register`. */
export const DatabaseMissing = createError<[]>(
  'FST_IDENTITY_DATABASE_MISSING',
  "Option 'database' is missing. Set the environment variable DATABASE_URL (or PGHOST and PGDATABASE), or pass a connection string, pg.Pool, pg.PoolConfig or Kysely instance. For development, fastify-identity/development starts a Postgres",
  500,
)

/** Something for development was called where NODE_ENV is `production`. Thrown by `startPostgres` of `fastify-identity/development`. */
export const NotForProduction = createError<[name: string]>(
  'FST_IDENTITY_NOT_FOR_PRODUCTION',
  "'%s' is for development and NODE_ENV is 'production'. Set the environment variable DATABASE_URL to your own Postgres",
  500,
)

/** The database that `database` names could not be reached while registering. */
export const DatabaseUnreachable = createError<[reason: string, remedy: string]>(
  'FST_IDENTITY_DATABASE_UNREACHABLE',
  "The database of option 'database' (or DATABASE_URL) cannot be used: %s. %s",
  500,
)

/** The database cannot hold every name and address. Thrown by `register`. */
export const DatabaseEncoding = createError<[encoding: string]>(
  'FST_IDENTITY_DATABASE_ENCODING',
  "The database of option 'database' has the encoding %s, which cannot hold every name and address. Use one with UTF8: create database … encoding 'UTF8' template template0",
  500,
)

/** The role of the connection lacks a right that it needs for migrations or requests. Thrown by `register`. */
export const DatabaseRights = createError<[role: string, rights: string, grants: string]>(
  'FST_IDENTITY_DATABASE_RIGHTS',
  "The database role '%s' lacks %s. Run as an administrator: %s",
  500,
)

/** No root secret in production. Thrown by `register`. */
export const SecretMissing = createError<[]>(
  'FST_IDENTITY_SECRET_MISSING',
  "Option 'secret' is missing. Set IDENTITY_SECRET to at least 32 random bytes, for example the output of: openssl rand -base64 32",
  500,
)

/** The key ring was wrapped under a root secret that is not among those given. Thrown by `register`. */
export const SecretWrong = createError<[reason: string]>(
  'FST_IDENTITY_SECRET_WRONG',
  '%s. Pass the secret that the keys were wrapped under, also as second element of a list: secret: [new, old]. If it is lost: npx fastify-identity keys reset',
  500,
)

/**
 * A root secret is set, and the key ring was made without one. A row that is not wrapped may come from anyone who can write to the database, so
 * that an administrator confirms it. Thrown by `register`.
 */
export const KeysUnwrapped = createError<[]>(
  'FST_IDENTITY_KEYS_UNWRAPPED',
  'The keys in the database are not wrapped, and a root secret is set. If this application ran without a secret until now, run: npx fastify-identity keys adopt',
  500,
)

/** The ring was given by option `keys`: it is rotated by its owner. */
export const KeysAreStatic = createError<[]>(
  'FST_IDENTITY_KEYS_STATIC',
  "The keys of option 'keys' are managed elsewhere: put a new one first in the list and restart",
  500,
)

/** Migrations are pending and `migrate: 'check'` forbids running them. Thrown by `register`. */
export const MigrationsPending = createError<[schema: string, pending: string, argument: string]>(
  'FST_IDENTITY_MIGRATIONS_PENDING',
  "Schema '%s' lacks migrations: %s. Run: npx fastify-identity migrate --schema %s",
  500,
)

/** A guard ran on an instance where the plugin is not registered. */
export const NotRegistered = createError<[decorator: string]>(
  'FST_IDENTITY_NOT_REGISTERED',
  "requireAuthorization() ran but no realm '%s' is registered in this scope. Await app.register(identity) in this scope or a parent",
  500,
)

/**
 * A guard names a policy that option `authorization.policies` does not have. Thrown when the application gets ready,
 * or per request as 500.
 */
export const UnknownPolicy = createError<[policy: string]>(
  'FST_IDENTITY_UNKNOWN_POLICY',
  "requireAuthorization names the policy '%s', which option 'authorization.policies' does not have. Add it there",
  500,
)

/** With `authorization.explicit`: routes without an access rule. Thrown when the application gets ready. */
export const UndecidedRoutes = createError<[routes: string]>(
  'FST_IDENTITY_UNDECIDED_ROUTES',
  'These routes say nothing about access: %s. Give each onRequest: requireAuthorization() or allowAnonymous()',
  500,
)

/**
 * One expected failure: `code` is stable and part of the wire, `description` is a message that option `errors` can
 * replace.
 */
export interface IdentityError {
  readonly code: string
  readonly description: string
}

/** The result of a manager's changing method: expected failures are values, not exceptions. */
export type IdentityResult =
  { readonly succeeded: true } | { readonly succeeded: false; readonly errors: readonly IdentityError[] }

export const success: IdentityResult = Object.freeze({ succeeded: true })

/** A code with the values for its message, before a describer makes the message. */
export interface Failure {
  readonly code: ErrorCode
  readonly args?: readonly (string | number)[]
}

/** Makes the message of a code. Default: the reference's English. */
export type ErrorDescriber = (code: ErrorCode, args: readonly (string | number)[]) => string

// The reference's codes and messages (spec: IdentityErrorDescriber), then those that only its endpoints use, then
// ours.
const messages = {
  DefaultError: 'An unknown failure has occurred.',
  ConcurrencyFailure: 'Optimistic concurrency failure, object has been modified.',
  PasswordMismatch: 'Incorrect password.',
  InvalidToken: 'Invalid token.',
  RecoveryCodeRedemptionFailed: 'Recovery code redemption failed.',
  LoginAlreadyAssociated: 'A user with this login already exists.',
  InvalidUserName: "Username '{0}' is invalid, can only contain letters or digits.",
  InvalidEmail: "Email '{0}' is invalid.",
  DuplicateUserName: "Username '{0}' is already taken.",
  DuplicateEmail: "Email '{0}' is already taken.",
  InvalidRoleName: "Role name '{0}' is invalid.",
  DuplicateRoleName: "Role name '{0}' is already taken.",
  UserAlreadyHasPassword: 'User already has a password set.',
  UserLockoutNotEnabled: 'Lockout is not enabled for this user.',
  UserAlreadyInRole: "User already in role '{0}'.",
  UserNotInRole: "User is not in role '{0}'.",
  PasswordTooShort: 'Passwords must be at least {0} characters.',
  PasswordRequiresUniqueChars: 'Passwords must use at least {0} different characters.',
  PasswordRequiresNonAlphanumeric: 'Passwords must have at least one non alphanumeric character.',
  PasswordRequiresDigit: "Passwords must have at least one digit ('0'-'9').",
  PasswordRequiresLower: "Passwords must have at least one lowercase ('a'-'z').",
  PasswordRequiresUpper: "Passwords must have at least one uppercase ('A'-'Z').",
  CannotResetSharedKeyAndEnable:
    'Resetting the 2fa shared key must disable 2fa until a 2fa token based on the new shared key is validated.',
  RequiresTwoFactor: 'No 2fa token was provided by the request. A valid 2fa token is required to enable 2fa.',
  InvalidTwoFactorCode:
    'The 2fa token provided by the request was invalid. A valid 2fa token is required to enable 2fa.',
  OldPasswordRequired:
    'The old password is required to set a new password. If the old password is forgotten, use /resetPassword.',
  PasswordTooLong: 'Passwords must be at most {0} characters.',
} as const

export type ErrorCode = keyof typeof messages

export const errorCodes = Object.freeze(Object.keys(messages)) as readonly ErrorCode[]

/** The reference's messages. `{0}` is the value as typed. */
export const describeError: ErrorDescriber = (code, args) =>
  messages[code].replace(/\{(\d)\}/g, (_, index: string) => String(args[Number(index)] ?? ''))

/** A failed result with the messages of `describe`. */
export function failed(describe: ErrorDescriber, failures: readonly Failure[]): IdentityResult {
  return {
    succeeded: false,
    errors: failures.map(({ code, args = [] }) => ({ code, description: describe(code, args) })),
  }
}
