// Every error that leaves this package, and every code of an expected failure. Outcomes that a caller must expect (a
// weak password) are values, see IdentityResult; errors are misconfigurations, or failures of another system.
import { createError, type FastifyErrorConstructor } from '@fastify/error'

// When each error is thrown, and what to do about it, is its doc comment; `npm run docs` writes docs/errors.md from it.
const thrown = {
  /**
   * The database is not reachable or does not answer in time; or a schema, table or right is missing, as while a backup is restored. The
   * answer is 503 with Retry-After.
   * @remedy try again
   */
  FST_IDENTITY_DATABASE_UNAVAILABLE: ['The database is not available', 503],
  /**
   * The password queue is full (`password.hasher.maxQueue`), or a password waited too long in it. The answer is 503 with
   * Retry-After.
   * @remedy try again; more cores, or a higher `password.hasher.maxQueue`
   */
  FST_IDENTITY_HASHER_BUSY: ['Too many sign-ins at once', 503],
  /**
   * A sign-in has waited `lockout.maxWaitSeconds` for others of the same name, as many as may still fail; or 256 already wait in this
   * process. The answer is 503 with Retry-After.
   * @remedy try again
   */
  FST_IDENTITY_SIGN_INS_CROWDED: ['Too many sign-ins of one name at once', 503],
  /**
   * Other transactions kept changing the same rows (SQLSTATE 40001, 40P01). The answer is 503 with Retry-After.
   * @remedy try again
   */
  FST_IDENTITY_DATABASE_CONTENTION: ['The database could not finish a conflicting change', 503],
  /**
   * The database has been away for a minute, so that ended sessions are unknown. The answer is 503 with Retry-After.
   * @remedy try again
   */
  FST_IDENTITY_REVOCATION_UNKNOWN: ['Sessions cannot be checked right now', 503],
  /**
   * Roles and claims of a user exceed the 4,096 characters of a token. Nothing is truncated: the sign-in
   * fails.
   * @remedy give the user fewer roles or claims
   */
  FST_IDENTITY_TOKEN_TOO_LARGE: [
    'A token of %s characters was not made, since at most %s are carried. Give the user fewer roles or claims',
    500,
  ],
  /**
   * `signIn.setCookie` was called, and option `cookies` is false.
   * @remedy answer with `signIn.sendTokens`
   */
  FST_IDENTITY_COOKIES_OFF: [
    "Option 'cookies' is false, so that no cookie is set. Leave it on, or answer with signIn.sendTokens",
    500,
  ],
  /**
   * `register`: an option is unknown, of the wrong type, or contradicts another.
   * @remedy the message names the option and what it takes
   */
  FST_IDENTITY_INVALID_OPTION: ["Option '%s' %s. %s", 500],
  /**
   * `register`: no database is named.
   * @remedy set `DATABASE_URL`, or option `database`
   */
  FST_IDENTITY_DATABASE_MISSING: [
    "Option 'database' is missing. Set the environment variable DATABASE_URL (or PGHOST and PGDATABASE), or pass a connection string, pg.Pool, pg.PoolConfig or Kysely instance. For development, fastify-identity/development starts a Postgres",
    500,
  ],
  /**
   * `register`: the host has a decorator of that name already, usually because the plugin is registered twice.
   * @remedy another `decorator`, `schema` and `prefix` for a second realm; `identityRoutes` for the same users under a second prefix
   */
  FST_IDENTITY_ALREADY_REGISTERED: [
    "The application has a decorator '%s' already. Give a second realm another decorator, schema and prefix; to mount the same users under a second prefix, register identityRoutes",
    500,
  ],
  /**
   * `register`: another realm of the application has its users in this schema of the database already.
   * @remedy another `schema` for a second realm; `identityRoutes` for the same users under a second prefix
   */
  FST_IDENTITY_SCHEMA_IN_USE: [
    "The schema '%s' has the users of the realm '%s' of this application already. Give the second realm another schema; to mount the same users under a second prefix, register identityRoutes",
    500,
  ],
  /**
   * At start, or per request where the plugin is not registered: a guard itself was given as a hook, not what it returns.
   * @remedy write the parentheses: `onRequest: requireAuthorization()`
   */
  FST_IDENTITY_GUARD_NOT_CALLED: [
    "'%s' is used as a hook%s, and it returns one. Write the parentheses: onRequest: %s()",
    500,
  ],
  /**
   * `startPostgres` of `fastify-identity/development` was called where `NODE_ENV` is `production`.
   * @remedy set `DATABASE_URL` to a Postgres of your own
   */
  FST_IDENTITY_NOT_FOR_PRODUCTION: [
    "'%s' is for development and NODE_ENV is 'production'. Set the environment variable DATABASE_URL to your own Postgres",
    500,
  ],
  /**
   * `register`: the database does not answer, or with `migrate: 'off'` has no tables.
   * @remedy start it, or correct the connection string; migrate
   */
  FST_IDENTITY_DATABASE_UNREACHABLE: [
    "The database of option 'database' (or DATABASE_URL) cannot be used: %s. %s",
    500,
  ],
  /**
   * `register`: the database is not UTF8, and cannot hold every name and address.
   * @remedy `create database … encoding 'UTF8' template template0`, and move the data there
   */
  FST_IDENTITY_DATABASE_ENCODING: [
    "The database of option 'database' has the encoding %s, which cannot hold every name and address. Use one with UTF8: create database … encoding 'UTF8' template template0",
    500,
  ],
  /**
   * `register`: the role of the connection lacks a right that migrations or requests need.
   * @remedy the message names the right and the SQL that grants it, see `docs/database.md`
   */
  FST_IDENTITY_DATABASE_RIGHTS: ["The database role '%s' lacks %s. Run as an administrator: %s", 500],
  /**
   * `register`, in production, without `secret` and `keys`.
   * @remedy set `IDENTITY_SECRET`
   */
  FST_IDENTITY_SECRET_MISSING: [
    "Option 'secret' is missing. Set IDENTITY_SECRET to at least 32 random bytes, for example the output of: openssl rand -base64 32",
    500,
  ],
  /**
   * `register`: the keys in the database were wrapped under another secret, or under one and none is set.
   * @remedy pass that one too: `secret: [new, old]`; if it is lost, start over with new keys, see `docs/keys.md`
   */
  FST_IDENTITY_SECRET_WRONG: [
    '%s. Pass the secret that the keys were wrapped under, also as second element of a list: secret: [new, old]. If it is lost: npx fastify-identity keys reset',
    500,
  ],
  /**
   * `register` with a secret: the keys in the database were made without one. A row that is not wrapped may come from anyone who can write to the
   * database, so that an administrator confirms it.
   * @remedy if this application ran without a secret until now: `npx fastify-identity keys adopt`, see `docs/keys.md`
   */
  FST_IDENTITY_KEYS_UNWRAPPED: [
    'The keys in the database are not wrapped, and a root secret is set. If this application ran without a secret until now, run: npx fastify-identity keys adopt',
    500,
  ],
  /**
   * `keys.rotate` or `keys.revoke` was called while option `keys` holds the ring.
   * @remedy put a new key first in the list and restart
   */
  FST_IDENTITY_KEYS_STATIC: [
    "The keys of option 'keys' are managed elsewhere: put a new one first in the list and restart",
    500,
  ],
  /**
   * `register` with `migrate: 'check'`: migrations are pending.
   * @remedy `npx fastify-identity migrate`, or register once with `migrate: 'auto'`
   */
  FST_IDENTITY_MIGRATIONS_PENDING: [
    "Schema '%s' lacks migrations: %s. Run: npx fastify-identity migrate --schema %s",
    500,
  ],
  /**
   * A guard ran where the plugin is not registered.
   * @remedy register it in this scope or a parent, and await it
   */
  FST_IDENTITY_NOT_REGISTERED: [
    "requireAuthorization() ran but no realm '%s' is registered in this scope. Await app.register(identity) in this scope or a parent",
    500,
  ],
  /**
   * A guard names an unknown policy: when the application gets ready, or at the request.
   * @remedy add it to `authorization.policies`
   */
  FST_IDENTITY_UNKNOWN_POLICY: [
    "requireAuthorization names the policy '%s', which option 'authorization.policies' does not have. Add it there",
    500,
  ],
  /**
   * The application gets ready with `authorization.explicit`, and some routes state no access rule.
   * @remedy give each of them `requireAuthorization()` or `allowAnonymous()`
   */
  FST_IDENTITY_UNDECIDED_ROUTES: [
    'These routes say nothing about access: %s. Give each onRequest: requireAuthorization() or allowAnonymous()',
    500,
  ],
} as const satisfies Record<`FST_IDENTITY_${string}`, readonly [message: string, statusCode: number]>

/** The `code` of an error that this package throws. */
export type FastifyIdentityErrorCode = keyof typeof thrown

/** Every code of a thrown error. */
export const thrownCodes = Object.keys(thrown) as readonly FastifyIdentityErrorCode[] // Object.keys loses the names

/** The HTTP status of a thrown error. */
export function statusOf(code: FastifyIdentityErrorCode): number {
  return thrown[code][1]
}

// Its type is written out: that which the compiler infers names a namespace that an importer with moduleResolution bundler has not.
const define = <Words extends unknown[]>(
  code: FastifyIdentityErrorCode,
): FastifyErrorConstructor<{ code: FastifyIdentityErrorCode }, Words> => {
  const [message, statusCode] = thrown[code]
  return createError<FastifyIdentityErrorCode, Words>(code, message, statusCode)
}

export const DatabaseUnavailable = define<[]>('FST_IDENTITY_DATABASE_UNAVAILABLE')
export const HasherBusy = define<[]>('FST_IDENTITY_HASHER_BUSY')
export const SignInsCrowded = define<[]>('FST_IDENTITY_SIGN_INS_CROWDED')
export const DatabaseContention = define<[]>('FST_IDENTITY_DATABASE_CONTENTION')
export const RevocationUnknown = define<[]>('FST_IDENTITY_REVOCATION_UNKNOWN')
export const TokenTooLarge = define<[characters: number, limit: number]>('FST_IDENTITY_TOKEN_TOO_LARGE')
export const CookiesOff = define<[]>('FST_IDENTITY_COOKIES_OFF')
export const InvalidOption = define<[option: string, problem: string, remedy: string]>('FST_IDENTITY_INVALID_OPTION')
export const DatabaseMissing = define<[]>('FST_IDENTITY_DATABASE_MISSING')
export const AlreadyRegistered = define<[decorator: string]>('FST_IDENTITY_ALREADY_REGISTERED')
export const SchemaInUse = define<[schema: string, decorator: string]>('FST_IDENTITY_SCHEMA_IN_USE')
export const GuardNotCalled = define<[guard: string, where: string, again: string]>('FST_IDENTITY_GUARD_NOT_CALLED')
export const NotForProduction = define<[name: string]>('FST_IDENTITY_NOT_FOR_PRODUCTION')
export const DatabaseUnreachable = define<[reason: string, remedy: string]>('FST_IDENTITY_DATABASE_UNREACHABLE')
export const DatabaseEncoding = define<[encoding: string]>('FST_IDENTITY_DATABASE_ENCODING')
export const DatabaseRights = define<[role: string, rights: string, grants: string]>('FST_IDENTITY_DATABASE_RIGHTS')
export const SecretMissing = define<[]>('FST_IDENTITY_SECRET_MISSING')
export const SecretWrong = define<[reason: string]>('FST_IDENTITY_SECRET_WRONG')
export const KeysUnwrapped = define<[]>('FST_IDENTITY_KEYS_UNWRAPPED')
export const KeysAreStatic = define<[]>('FST_IDENTITY_KEYS_STATIC')
export const MigrationsPending = define<[schema: string, pending: string, argument: string]>(
  'FST_IDENTITY_MIGRATIONS_PENDING',
)
export const NotRegistered = define<[decorator: string]>('FST_IDENTITY_NOT_REGISTERED')
export const UnknownPolicy = define<[policy: string]>('FST_IDENTITY_UNKNOWN_POLICY')
export const UndecidedRoutes = define<[routes: string]>('FST_IDENTITY_UNDECIDED_ROUTES')

/**
 * One expected failure: `code` is stable and part of the wire, `description` is a message that option `errors` can
 * replace.
 */
export interface IdentityError {
  /** An `IdentityErrorCode`, or a code of a validator of the host. */
  readonly code: string
  /** The message, for people. */
  readonly description: string
}

/** The result of a manager's changing method: expected failures are values, not exceptions. */
export type IdentityResult =
  | {
      /** Whether the change was made. */
      readonly succeeded: true
    }
  | {
      /** Whether the change was made. */
      readonly succeeded: false
      /** Why not. */
      readonly errors: readonly IdentityError[]
    }

export const success: IdentityResult = Object.freeze({ succeeded: true })

/** A code with the values for its message, before a describer makes the message. */
export interface Failure {
  readonly code: ErrorCode
  readonly args?: readonly (string | number)[]
}

/** Makes the message of a code. Default: the reference's English. */
export type ErrorDescriber = (code: ErrorCode, args: readonly (string | number)[]) => string

// The reference's codes and messages (spec: IdentityErrorDescriber), then those that only its endpoints use, then ours. Where a code comes from is
// its doc comment, for docs/errors.md; methods without a prefix are those of `app.identity.users`.
const messages = {
  /** `addLogin`, `addClaims`, `replaceClaim`, `setPhoneNumber`, `setAuthenticationToken`, `removeAuthenticationToken`, `addOrUpdatePasskey`, `roles.addClaim`: a text that is too long, empty or cannot be stored */
  DefaultError: 'An unknown failure has occurred.',
  /** changes of a user or role whose row was changed meanwhile */
  ConcurrencyFailure: 'Optimistic concurrency failure, object has been modified.',
  /** `POST /manage/info`, `changePassword` */
  PasswordMismatch: 'Incorrect password.',
  /** `POST /resetPassword`, `resetPassword`, `confirmEmail`, `changeEmail`, `changePhoneNumber` */
  InvalidToken: 'Invalid token.',
  /** `redeemTwoFactorRecoveryCode` */
  RecoveryCodeRedemptionFailed: 'Recovery code redemption failed.',
  /** `addLogin`, `addOrUpdatePasskey` */
  LoginAlreadyAssociated: 'A user with this login already exists.',
  /** `POST /register`, changes of a user */
  InvalidUserName: "Username '{0}' is invalid, can only contain letters or digits.",
  /** `POST /register`, `POST /manage/info`, changes of a user */
  InvalidEmail: "Email '{0}' is invalid.",
  /** `POST /register`, changes of a user */
  DuplicateUserName: "Username '{0}' is already taken.",
  /** `POST /register`, changes of a user, with `user.requireUniqueEmail` */
  DuplicateEmail: "Email '{0}' is already taken.",
  /** `roles.create`, `roles.update`, `roles.setRoleName` */
  InvalidRoleName: "Role name '{0}' is invalid.",
  /** `roles.create`, `roles.update`, `roles.setRoleName` */
  DuplicateRoleName: "Role name '{0}' is already taken.",
  /** `addPassword` */
  UserAlreadyHasPassword: 'User already has a password set.',
  /** `setLockoutEndDate`, `lock` */
  UserLockoutNotEnabled: 'Lockout is not enabled for this user.',
  /** `addToRole`, `addToRoles` */
  UserAlreadyInRole: "User already in role '{0}'.",
  /** `removeFromRole`, `removeFromRoles` */
  UserNotInRole: "User is not in role '{0}'.",
  /** every new password */
  PasswordTooShort: 'Passwords must be at least {0} characters.',
  /** every new password */
  PasswordRequiresUniqueChars: 'Passwords must use at least {0} different characters.',
  /** every new password */
  PasswordRequiresNonAlphanumeric: 'Passwords must have at least one non alphanumeric character.',
  /** every new password */
  PasswordRequiresDigit: "Passwords must have at least one digit ('0'-'9').",
  /** every new password */
  PasswordRequiresLower: "Passwords must have at least one lowercase ('a'-'z').",
  /** every new password */
  PasswordRequiresUpper: "Passwords must have at least one uppercase ('A'-'Z').",
  /** `POST /manage/2fa` */
  CannotResetSharedKeyAndEnable:
    'Resetting the 2fa shared key must disable 2fa until a 2fa token based on the new shared key is validated.',
  /** `POST /manage/2fa` */
  RequiresTwoFactor: 'No 2fa token was provided by the request. A valid 2fa token is required to enable 2fa.',
  /** `POST /manage/2fa` */
  InvalidTwoFactorCode:
    'The 2fa token provided by the request was invalid. A valid 2fa token is required to enable 2fa.',
  /** `POST /manage/info` */
  OldPasswordRequired:
    'The old password is required to set a new password. If the old password is forgotten, use /resetPassword.',
  /** every new password */
  PasswordTooLong: 'Passwords must be at most {0} characters.',
} as const

/** The `code` of an expected failure, in results of `app.identity` and in `errors` of a 400. Part of the wire: it never changes. */
export type IdentityErrorCode = keyof typeof messages

/** The same as `IdentityErrorCode`. */
export type ErrorCode = IdentityErrorCode

/** Every code of an expected failure. */
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
