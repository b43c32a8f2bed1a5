// Gathers the options of all folders, checks them and returns a frozen, complete copy. Each option is declared in the folder that uses it.
import { type Static, type TObject, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { RegisterOptions } from 'fastify'
import { credentialOptions } from './accounts/credentials/options.js'
import { sessionOptions } from './accounts/sessions/options.js'
import { signInOptions } from './accounts/sign-in/options.js'
import { userOptions } from './accounts/users/options.js'
import { checkProfile } from './accounts/users/profile-option.js'
import type { PasswordValidator } from './accounts/users/user-validator.js'
import type { Clock } from './clock.js'
import { emailOptions } from './email/options.js'
import { mailsNotices } from './email/sender.js'
import { describeError, type ErrorDescriber, InvalidOption } from './errors.js'
import { checkCookie, origin, page, trustedOrigins } from './http/check-options.js'
import { httpOptions } from './http/options.js'
import { callback, closed, complete, defaulted, foreign, type Resolved } from './option-schema.js'
import type { PasswordHasher } from './passwords/hasher.js'
import { type HasherOptions, hasherOptions } from './passwords/options.js'
import { type PasswordRules, rulesOf } from './passwords/policy.js'
import { revocationOptions } from './revocation/options.js'
import { endpointOptions, type Operation, routeOptions } from './routes/endpoints.js'
import { checkDatabase } from './store/database-option.js'
import { storeOptions } from './store/options.js'
import { readKeys, readSecrets, tokenOptions } from './tokens/options.js'
import { twoFactorOptions } from './two-factor/options.js'

// Fastify's, written out: its own type is named after pino, which is no dependency of this package.
type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'

const registrationOptions = Type.Object(
  {
    /**
     * Where the routes go, for example `/account`.
     * @default `''`
     */
    prefix: defaulted(Type.String(), ''),
    /**
     * Name on instance and request: `app.identity` and `request.identity`. A second realm registers with another name, schema and prefix.
     * @default `'identity'`
     */
    decorator: defaulted(Type.String({ pattern: '^[A-Za-z_$][A-Za-z0-9_$]{0,63}$' }), 'identity'),
    /**
     * The set of defaults. `'aspnet'`: as the reference does on the wire. `'hardened'`: stricter where that is weaker than NIST SP 800-63B-4 and
     * ASVS 5.0; it needs `email`. An option that you set takes precedence over a preset.
     * @default `'aspnet'`
     */
    preset: defaulted(Type.Union([Type.Literal('aspnet'), Type.Literal('hardened')]), 'aspnet'),
    /**
     * Puts error codes into other words: `(code, args) => string`. The codes stay.
     * @default the reference's English
     */
    errors: defaulted(callback<ErrorDescriber>(), describeError),
    /**
     * Returns the time in milliseconds since the Unix epoch; every expiry asks it. Without it, lockout and revocation use the clock of the
     * database.
     * @default `Date.now`
     */
    clock: Type.Optional(callback<Clock>()),
    /**
     * Log level of the routes, as any plugin of Fastify takes it.
     * @default level of the application's logger
     */
    logLevel: Type.Optional(foreign<LogLevel>()),
    /**
     * Log serializers of the routes, as any plugin of Fastify takes them.
     * @default serializers of the application's logger
     */
    logSerializers: Type.Optional(foreign<NonNullable<RegisterOptions['logSerializers']>>()),
    /**
     * Has no effect. Applications of fastify-cli pass it to every plugin.
     * @default none
     */
    skipOverride: Type.Optional(foreign<boolean>()),
  },
  closed,
)

/** All options. */
export const optionsSchema = Type.Object(
  {
    ...registrationOptions.properties,
    ...storeOptions.properties,
    ...tokenOptions.properties,
    ...httpOptions.properties,
    ...routeOptions.properties,
    ...userOptions.properties,
    ...signInOptions.properties,
    ...sessionOptions.properties,
    ...revocationOptions.properties,
    ...credentialOptions.properties,
    ...twoFactorOptions.properties,
    ...emailOptions.properties,
  },
  closed,
)

/**
 * Everything that `app.register(identity, options)` takes. Every option may be left out; the defaults are the reference's where it has them.
 *
 * @example await app.register(identity, { prefix: '/account', publicUrl: 'https://api.example.com', signIn: { requireConfirmedEmail: true } })
 */
// An interface over the schemas of the folders: a spread of them would lose the doc comments in the declarations of the package.
export interface IdentityOptions
  extends
    Static<typeof registrationOptions>,
    Static<typeof storeOptions>,
    Static<typeof tokenOptions>,
    Static<typeof httpOptions>,
    Static<typeof routeOptions>,
    Static<typeof userOptions>,
    Static<typeof signInOptions>,
    Static<typeof sessionOptions>,
    Static<typeof revocationOptions>,
    Static<typeof credentialOptions>,
    Static<typeof twoFactorOptions>,
    Static<typeof emailOptions> {}

/** What Fastify itself takes at any registration, and a wrapped plugin must pass on. */
export type RouteLogging = Pick<RegisterOptions, 'logLevel' | 'logSerializers'>

type Complete = Resolved<typeof optionsSchema.properties>

/** The options, complete: what `Complete` gives, and what is read out of one option or several. */
export interface ResolvedOptions extends Omit<
  Complete,
  | 'clock'
  | 'csrf'
  | 'database'
  | 'errors'
  | 'logLevel'
  | 'logSerializers'
  | 'skipOverride'
  | 'password'
  | 'publicUrl'
  | 'secret'
  | 'twoFactor'
> {
  readonly routeLogging: RouteLogging
  readonly secrets: readonly string[]
  /** Whether an answer says what is wrong with a request that cannot be read: outside of production. */
  readonly explainsInput: boolean
  readonly publicUrl: URL | null
  readonly password: PasswordRules
  readonly passwordValidators: readonly PasswordValidator[]
  readonly hasher: PasswordHasher | HasherOptions
  readonly twoFactor: Complete['twoFactor'] & { readonly issuer: string }
  readonly csrf: Readonly<{ trustedOrigins: ReadonlySet<string> }> | null
  readonly describe: ErrorDescriber
  readonly clock: Clock
  /** Option `clock` where it is set: then the database is asked with it too. */
  readonly ownClock: Clock | undefined
}

/**
 * Checks and completes the options.
 *
 * @throws FST_IDENTITY_INVALID_OPTION, naming the option and the remedy
 * @throws FST_IDENTITY_SECRET_MISSING in production without a root secret
 */
export function resolveOptions(given: IdentityOptions, environment: NodeJS.ProcessEnv): ResolvedOptions {
  checkShape(optionsSchema, given, '')
  const { hasher = {}, validators = [] } = given.password ?? {}
  if (!isHasher(hasher)) checkShape(hasherOptions, hasher, 'password.hasher')
  checkDatabase(given.database)
  const { clock, csrf, errors, logLevel, logSerializers, skipOverride, ...plain } = complete(
    optionsSchema,
    given,
    given.preset,
  )
  const publicUrl = given.publicUrl === undefined ? null : origin('publicUrl', given.publicUrl)
  const origins = typeof csrf === 'boolean' ? [] : (csrf.trustedOrigins ?? [])
  const resolved: ResolvedOptions = {
    ...plain,
    routeLogging: Object.freeze({
      ...(logLevel !== null && { logLevel }),
      ...(logSerializers !== null && { logSerializers }),
    }),
    explainsInput: environment.NODE_ENV !== 'production',
    secrets: Object.freeze(readSecrets(given.secret, environment, given.keys !== undefined)),
    publicUrl,
    endpoints: resolveEndpoints(given.endpoints, plain.email !== null && plain.links.confirmEmail === null),
    links: Object.freeze({
      confirmEmail: page('links.confirmEmail', given.links?.confirmEmail),
      resetPassword: page('links.resetPassword', given.links?.resetPassword),
    }),
    twoFactor: Object.freeze({
      ...plain.twoFactor,
      issuer: plain.twoFactor.issuer ?? publicUrl?.hostname ?? 'Fastify',
    }),
    password: rulesOf(given.password, plain.preset),
    passwordValidators: Object.freeze([...validators]),
    hasher,
    user: Object.freeze({ ...plain.user, allowedUserNameCharacters: plain.user.allowedUserNameCharacters || null }),
    profile: plain.profile === null ? null : checkProfile(plain.profile),
    csrf: csrf === false ? null : Object.freeze({ trustedOrigins: trustedOrigins(origins, publicUrl) }),
    keys: plain.keys === null ? null : Object.freeze(readKeys(plain.keys)),
    describe: errors,
    clock: clock ?? Date.now,
    ownClock: clock ?? undefined,
  }
  checkCookie(resolved.cookie, resolved.decorator, publicUrl)
  checkMail(resolved)
  return Object.freeze(resolved)
}

/**
 * Option `endpoints` of one prefix, complete.
 *
 * @param mailsOurLinks whether mailed links point to the `/confirmEmail` of the prefix they were asked under
 * @throws FST_IDENTITY_INVALID_OPTION for an unknown endpoint, and where mailed links would point to one that is off
 */
export function resolveEndpoints(
  given: NonNullable<IdentityOptions['endpoints']> = {},
  mailsOurLinks: boolean,
): Readonly<Record<Operation, boolean>> {
  checkShape(endpointOptions, given, 'endpoints')
  const on = complete(endpointOptions, given)
  if (mailsOurLinks && !on.confirmEmail && (on.register || on.resendConfirmationEmail || on.info)) {
    throw new InvalidOption(
      'endpoints.confirmEmail',
      'is off, where mailed links point to',
      'Leave it on, or set links.confirmEmail to a page of yours',
    )
  }
  return on
}

function checkMail({ preset, email, notices, publicUrl }: ResolvedOptions): void {
  if (email !== null && publicUrl === null) {
    throw new InvalidOption(
      'publicUrl',
      "is needed by option 'email'",
      'Set the origin that mailed links shall have, for example https://api.example.com',
    )
  }
  const isHardened = preset === 'hardened'
  if (isHardened && email === null)
    throw new InvalidOption('email', "is needed by preset 'hardened'", 'Say who sends mail, or leave preset out')
  if (notices.length > 0 && email === null)
    throw new InvalidOption('email', "is needed by option 'notices'", 'Say who sends mail, or leave notices out')
  if ((isHardened || notices.length > 0) && email !== null && !mailsNotices(email)) {
    const whose = isHardened ? "preset 'hardened' needs" : "option 'notices' names"
    throw new InvalidOption(
      'email',
      `cannot send what ${whose}`,
      'Give the sender a method sendSecurityNotice(user, email, notice)',
    )
  }
}

function checkShape(schema: TObject, value: unknown, path: string): void {
  const first = Value.Errors(schema, value).First()
  if (first === undefined) return
  const name = [path, ...first.path.split('/').map(unescaped)].filter((part) => part !== '').join('.') || 'options'
  if (first.message === 'Unexpected property') {
    throw new InvalidOption(name, 'is unknown', `Known here: ${knownNames(schema, first.path).join(', ')}`)
  }
  if (first.schema.isCallback === true)
    throw new InvalidOption(name, 'is not a function', 'Pass a function or leave it out')
  throw new InvalidOption(name, `is wrong (${describe(first.value)})`, first.message)
}

// A part of a JSON pointer (RFC 6901 §4).
function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}

function knownNames(schema: TObject, path: string): string[] {
  // The parent of the unexpected member; each step down is a property that the schema above declares.
  let level: TObject = schema
  for (const part of path.split('/').slice(1, -1)) level = (level.properties[part] ?? level) as TObject
  return Object.keys(level.properties)
}

// Never the value itself: it may be a secret.
function describe(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : typeof value
}

function isHasher(given: PasswordHasher | HasherOptions): given is PasswordHasher {
  const value: unknown = given // a JavaScript host may pass anything
  return (
    typeof value === 'object' &&
    value !== null &&
    'hash' in value &&
    typeof value.hash === 'function' &&
    'verify' in value &&
    typeof value.verify === 'function'
  )
}
