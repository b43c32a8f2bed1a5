// Gathers every option: its type, its default, its check. What leaves here is a frozen copy with nothing left to decide.
import { type Static, type TObject, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { FastifyRequest, RegisterOptions } from 'fastify'
import type { Clock } from './clock.js'
import { describeError, type ErrorDescriber, InvalidOption, SecretMissing } from './errors.js'
import { type HasherOptions, type PasswordHasher } from './passwords/hasher.js'
import { hardenedPasswordDefaults, passwordDefaults, type PasswordRules } from './passwords/policy.js'
import type { DatabaseOption } from './store/connect.js'
import { securityNotices, type SecurityNotice } from './email/messages.js'
import { type EmailOption, mailsNotices } from './email/sender.js'
import { hookNames, type Hooks } from './accounts/users/hooks.js'
import type { User } from './accounts/users/user.js'
import type { PasswordValidator, UserValidator } from './accounts/users/user-validator.js'
import type { Policy } from './http/authorize.js'
import type { Claim } from './store/users.js'

const seconds = (minimum = 1) => Type.Optional(Type.Integer({ minimum, maximum: 10 * 365 * 86_400 }))
const flag = Type.Optional(Type.Boolean())
const count = (minimum: number, maximum: number) => Type.Optional(Type.Integer({ minimum, maximum }))
const closed = { additionalProperties: false }

const bearerSchema = Type.Object(
  {
    accessTokenSeconds: seconds(),
    refreshTokenSeconds: seconds(),
    rotateRefreshTokens: flag,
    reuseGraceSeconds: seconds(0),
    readToken: Type.Optional(Type.Unknown()),
  },
  closed,
)

const cookieSchema = Type.Object(
  {
    name: Type.Optional(Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$" })),
    lifetimeSeconds: seconds(),
    slidingExpiration: flag,
    sameSite: Type.Optional(Type.Union([Type.Literal('lax'), Type.Literal('strict'), Type.Literal('none')])),
    secure: Type.Optional(Type.Union([Type.Boolean(), Type.Literal('auto')])),
    domain: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9.-]{1,253}$' })),
    path: Type.Optional(Type.String({ pattern: '^/[^;\\s]{0,255}$' })),
  },
  closed,
)

const passwordSchema = Type.Object(
  {
    requiredLength: count(1, 512),
    requiredUniqueChars: count(0, 512),
    requireDigit: flag,
    requireLowercase: flag,
    requireUppercase: flag,
    requireNonAlphanumeric: flag,
    maxLength: count(8, 4096),
    validators: Type.Optional(Type.Array(Type.Unknown())),
    hasher: Type.Optional(Type.Unknown()),
  },
  closed,
)

// The hasher checks the values itself; here only misspelled names are found. Exported, like optionsSchema, for the test of the README.
export const hasherSchema = Type.Object(
  Object.fromEntries(
    ['memoryKiB', 'iterations', 'parallelism', 'maxConcurrent', 'maxQueue', 'maxWaitSeconds'].map((name) => [
      name,
      Type.Optional(Type.Unknown()),
    ]),
  ),
  closed,
)

const lockoutSchema = Type.Object(
  {
    allowedForNewUsers: flag,
    maxFailedAccessAttempts: count(1, 100),
    lockoutSeconds: seconds(),
  },
  closed,
)

const userSchema = Type.Object(
  {
    userNameIsEmail: flag,
    validators: Type.Optional(Type.Array(Type.Unknown())),
    allowedUserNameCharacters: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    requireUniqueEmail: flag,
  },
  closed,
)

const signInSchema = Type.Object(
  {
    requireConfirmedEmail: flag,
    requireConfirmedPhoneNumber: flag,
    requireConfirmedAccount: flag,
  },
  closed,
)

/** The operations that option `endpoints` switches. */
export const operations = [
  'register',
  'login',
  'refresh',
  'logout',
  'confirmEmail',
  'resendConfirmationEmail',
  'forgotPassword',
  'resetPassword',
  'twoFactor',
  'info',
  'sessions',
] as const
export type Operation = (typeof operations)[number]

const endpointsSchema = Type.Object(Object.fromEntries(operations.map((name) => [name, flag])), closed)

const linksSchema = Type.Object(
  {
    confirmEmail: Type.Optional(Type.String()),
    resetPassword: Type.Optional(Type.String()),
  },
  closed,
)

const codesSchema = Type.Object({ confirmEmailSeconds: seconds(), resetPasswordSeconds: seconds() }, closed)

const twoFactorSchema = Type.Object(
  {
    issuer: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    allowCodeReuse: flag,
    windowSteps: count(0, 10),
    rememberMachineSeconds: seconds(),
  },
  closed,
)

export const optionsSchema = Type.Object(
  {
    prefix: Type.Optional(Type.String()),
    logLevel: Type.Optional(Type.Unknown()),
    logSerializers: Type.Optional(Type.Unknown()),
    database: Type.Optional(Type.Unknown()),
    schema: Type.Optional(Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$' })),
    migrate: Type.Optional(Type.Union([Type.Literal('auto'), Type.Literal('check'), Type.Literal('off')])),
    secret: Type.Optional(Type.Unknown()),
    publicUrl: Type.Optional(Type.String()),
    links: Type.Optional(linksSchema),
    endpoints: Type.Optional(endpointsSchema),
    cookies: flag,
    bearer: Type.Optional(bearerSchema),
    cookie: Type.Optional(cookieSchema),
    preset: Type.Optional(Type.Union([Type.Literal('aspnet'), Type.Literal('hardened')])),
    password: Type.Optional(passwordSchema),
    lockout: Type.Optional(lockoutSchema),
    codes: Type.Optional(codesSchema),
    sessions: Type.Optional(Type.Object({ absoluteSeconds: seconds() }, closed)),
    user: Type.Optional(userSchema),
    signIn: Type.Optional(signInSchema),
    securityStamp: Type.Optional(Type.Object({ validationSeconds: seconds(0) }, closed)),
    twoFactor: Type.Optional(twoFactorSchema),
    authorization: Type.Optional(
      Type.Object({ policies: Type.Optional(Type.Record(Type.String(), Type.Unknown())), explicit: flag }, closed),
    ),
    profile: Type.Optional(Type.Unknown()),
    claims: Type.Optional(Type.Unknown()),
    hooks: Type.Optional(
      Type.Object(Object.fromEntries(hookNames.map((name) => [name, Type.Optional(Type.Unknown())])), closed),
    ),
    email: Type.Optional(Type.Unknown()),
    notices: Type.Optional(Type.Array(Type.Union(securityNotices.map((name) => Type.Literal(name))))),
    jsonNaming: Type.Optional(Type.Union([Type.Literal('camelCase'), Type.Literal('snake_case')])),
    csrf: Type.Optional(
      Type.Union([Type.Boolean(), Type.Object({ trustedOrigins: Type.Optional(Type.Array(Type.String())) }, closed)]),
    ),
    decorator: Type.Optional(Type.String({ pattern: '^[A-Za-z_$][A-Za-z0-9_$]{0,63}$' })),
    keys: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.String({ minLength: 1, maxLength: 128 }),
            secret: Type.String(),
          },
          closed,
        ),
        { minItems: 1 },
      ),
    ),
    errors: Type.Optional(Type.Unknown()),
    clock: Type.Optional(Type.Unknown()),
  },
  closed,
)

export interface BearerOptions extends Omit<Static<typeof bearerSchema>, 'readToken'> {
  /** Takes the token from elsewhere, for example a header of a proxy; the Authorization header still counts where it answers null. */
  readToken?: (request: FastifyRequest) => string | null | undefined
}

export type CookieOptions = Static<typeof cookieSchema>

export interface PasswordSettings extends Omit<Static<typeof passwordSchema>, 'hasher' | 'validators'> {
  /** Another hasher, or settings of the built-in argon2id hasher and its queue. */
  hasher?: PasswordHasher | HasherOptions
  /** Further rules; each answers the failures it finds. */
  validators?: readonly PasswordValidator[]
}

export interface UserSettings extends Omit<Static<typeof userSchema>, 'validators'> {
  /** Further rules; each answers the failures it finds, whenever a user is written. */
  validators?: readonly UserValidator[]
}

export interface AuthorizationOptions {
  /** Rules of the application by name, for `requireAuthorization('name')`. */
  policies?: Readonly<Record<string, Policy>>
  /** true: the application does not get ready while a route has neither `requireAuthorization` nor `allowAnonymous`; OPTIONS needs none. Default false. */
  explicit?: boolean
}

/** Everything `app.register(identity, options)` takes. Every member has a default; the defaults are the reference's where it has them. */
export interface IdentityOptions {
  /** Where the routes go. Default `''`. */
  prefix?: string
  /** Connection string, pg.Pool, pg.PoolConfig or Kysely instance. Default: the environment's DATABASE_URL or PG* variables. One that is handed in is never closed. */
  database?: DatabaseOption
  /** Postgres schema of our tables. Default `'identity'`. */
  schema?: string
  /** `'auto'` (default) runs pending migrations at start, `'check'` refuses to start while any are pending, `'off'` does not look. */
  migrate?: 'auto' | 'check' | 'off'
  /** Root secret of at least 32 bytes, or a list, newest first. Default: the environment's IDENTITY_SECRET. Required in production. */
  secret?: string | readonly string[]
  /** The origin under which people reach this server, for example `https://api.example.com`. Never taken from a request. */
  publicUrl?: string
  /** Where mailed links point when a page of yours does the rest: absolute URLs. Default: our own `/confirmEmail`, and a code instead of a link for a reset. */
  links?: Static<typeof linksSchema>
  /** `{ register: false }` leaves an endpoint out. Default: all on. */
  endpoints?: Partial<Record<Operation, boolean>>
  /** `false`: bearer tokens only. Default `true`. */
  cookies?: boolean
  /** accessTokenSeconds 3600 · refreshTokenSeconds 1209600 · rotateRefreshTokens true · reuseGraceSeconds 30 · readToken */
  bearer?: BearerOptions
  /** name · lifetimeSeconds 1209600 · slidingExpiration true · sameSite 'lax' · secure 'auto' · domain · path '/' */
  cookie?: CookieOptions
  /**
   * `'aspnet'` (default): as the reference does on the wire. `'hardened'`: other defaults where that is weaker than NIST SP 800-63B-4 and ASVS 5.0;
   * needs `email`. What another option says goes before what a preset says.
   */
  preset?: 'aspnet' | 'hardened'
  /** requiredLength 6 · requiredUniqueChars 1 · requireDigit, requireLowercase, requireUppercase, requireNonAlphanumeric true · maxLength 512 · validators · hasher */
  password?: PasswordSettings
  /** allowedForNewUsers true · maxFailedAccessAttempts 5 · lockoutSeconds 300 (doubled by each further lock, up to a day) */
  lockout?: Static<typeof lockoutSchema>
  /** confirmEmailSeconds 86400 · resetPasswordSeconds 3600: how long the codes of mails are good */
  codes?: Static<typeof codesSchema>
  /** absoluteSeconds 2592000: no refresh and no sliding cookie outlives it. */
  sessions?: { absoluteSeconds?: number }
  /**
   * allowedUserNameCharacters: letters, digits and `-._@+` of ASCII (null or '': any) · requireUniqueEmail false ·
   * userNameIsEmail true (false: /register and /login take `userName`) · validators: further rules on users
   */
  user?: UserSettings
  /** requireConfirmedEmail (true with preset `hardened`), requireConfirmedPhoneNumber, requireConfirmedAccount: all false */
  signIn?: Static<typeof signInSchema>
  /** validationSeconds 1800: how old a cookie may be before its user is read again; 0 = every request */
  securityStamp?: { validationSeconds?: number }
  /** issuer: the host of publicUrl · allowCodeReuse false · windowSteps 1 (steps of 30 s on each side; the reference: 2) · rememberMachineSeconds 1209600 */
  twoFactor?: Static<typeof twoFactorSchema>
  /** policies: rules by name · explicit false (true: refuse to start while a route says nothing about access) */
  authorization?: AuthorizationOptions
  /** A TypeBox object: fields that /register takes besides its own, kept with the user, shown and changed by /manage/info. */
  profile?: TObject
  /** Claims of your own for every ticket of a user, made anew at each sign-in, refresh and validation of a cookie. */
  claims?: (user: User) => readonly Claim[]
  /** Called inside the transaction of a change; one that throws rolls it back. See `Hooks`. */
  hooks?: Hooks
  /** Who sends mail: an EmailSender, `{ send(message) }`, or an SMTP URL. Default: nothing is sent, and a line at start says so. Needs `publicUrl`. */
  email?: EmailOption
  /**
   * What users are told by mail at their confirmed address: `'refreshTokenReused'`, `'passwordChanged'` (a reset too), `'emailChanged'`
   * (at the old address), `'twoFactorChanged'` (on or off), `'recoveryCodeUsed'`. Default: none; all with preset `hardened`. Needs `email`.
   */
  notices?: readonly SecurityNotice[]
  /** `'snake_case'` names the members of answers so. Requests are read in both. Default `'camelCase'`. */
  jsonNaming?: 'camelCase' | 'snake_case'
  /** Default on: unsafe requests that carry our cookie must come from the same origin or one of `trustedOrigins`. */
  csrf?: boolean | { trustedOrigins?: readonly string[] }
  /** Name on instance and request. Default `'identity'`. */
  decorator?: string
  /** A ring that you manage yourself: the first key seals, all open. Each secret has at least 32 bytes. Default: a ring in Postgres that turns by itself. */
  keys?: readonly { id: string; secret: string }[]
  /** Puts error codes into other words. Default: the reference's English. */
  errors?: ErrorDescriber
  /** Milliseconds since the epoch; every expiry asks it. Default `Date.now`, and the database's own clock for lockout and revocation. */
  clock?: Clock
}

/** What Fastify itself takes at any registration, and a wrapped plugin must pass on. */
export type RouteLogging = Pick<RegisterOptions, 'logLevel' | 'logSerializers'>

export interface ResolvedOptions {
  readonly prefix: string
  readonly routeLogging: RouteLogging
  readonly schema: string
  readonly migrate: 'auto' | 'check' | 'off'
  readonly secrets: readonly string[]
  readonly publicUrl: URL | null
  readonly endpoints: Readonly<Record<Operation, boolean>>
  readonly cookies: boolean
  readonly bearer: Readonly<{
    accessTokenSeconds: number
    refreshTokenSeconds: number
    rotateRefreshTokens: boolean
    reuseGraceSeconds: number
    readToken: ((request: FastifyRequest) => string | null | undefined) | null
  }>
  readonly cookie: Readonly<{
    name: string | null
    lifetimeSeconds: number
    slidingExpiration: boolean
    sameSite: 'lax' | 'strict' | 'none'
    secure: boolean | 'auto'
    domain: string | null
    path: string
  }>
  readonly preset: 'aspnet' | 'hardened'
  readonly password: PasswordRules
  readonly passwordValidators: readonly PasswordValidator[]
  readonly hasher: PasswordHasher | HasherOptions
  readonly lockout: Readonly<{ allowedForNewUsers: boolean; maxFailedAccessAttempts: number; lockoutSeconds: number }>
  readonly sessions: Readonly<{ absoluteSeconds: number }>
  readonly user: Readonly<{
    allowedUserNameCharacters: string | null
    requireUniqueEmail: boolean
    userNameIsEmail: boolean
    validators: readonly UserValidator[]
  }>
  readonly authorization: Readonly<{ policies: Readonly<Record<string, Policy>>; explicit: boolean }>
  readonly profile: TObject | null
  readonly claims: (user: User) => readonly Claim[]
  readonly hooks: Hooks
  readonly signIn: Readonly<{
    requireConfirmedEmail: boolean
    requireConfirmedPhoneNumber: boolean
    requireConfirmedAccount: boolean
  }>
  readonly securityStamp: Readonly<{ validationSeconds: number }>
  readonly links: Readonly<{ confirmEmail: string | null; resetPassword: string | null }>
  readonly codes: Readonly<{ confirmEmailSeconds: number; resetPasswordSeconds: number }>
  readonly twoFactor: Readonly<{
    issuer: string
    allowCodeReuse: boolean
    windowSteps: number
    rememberMachineSeconds: number
  }>
  readonly email: EmailOption | null
  readonly notices: readonly SecurityNotice[]
  readonly jsonNaming: 'camelCase' | 'snake_case'
  readonly csrf: Readonly<{ trustedOrigins: ReadonlySet<string> }> | null
  readonly decorator: string
  readonly keys: readonly Readonly<{ id: string; secret: string }>[] | null
  readonly describe: ErrorDescriber
  readonly clock: Clock
  /** Whether `clock` was given: then the database is asked with it too. */
  readonly ownClock: Clock | undefined
}

const nameCharacters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._@+'

/**
 * Checks and completes the options.
 *
 * @throws FST_IDENTITY_INVALID_OPTION, naming the option and the remedy
 * @throws FST_IDENTITY_SECRET_MISSING in production without a root secret
 */
export function resolveOptions(given: IdentityOptions & RouteLogging, environment: NodeJS.ProcessEnv): ResolvedOptions {
  checkShape(optionsSchema, given, '')
  const { password = {}, bearer = {}, cookie = {}, csrf = true } = given
  const { hasher = {}, validators = [], ...rules } = password
  if (!isHasher(hasher)) checkShape(hasherSchema, hasher, 'password.hasher')
  checkDatabase(given.database)
  const functions: [string, unknown][] = [
    ['errors', given.errors],
    ['clock', given.clock],
    ['bearer.readToken', bearer.readToken],
    ['claims', given.claims],
    ...Object.entries(given.authorization?.policies ?? {}).map(([name, policy]): [string, unknown] => [
      `authorization.policies.${name}`,
      policy,
    ]),
    ...Object.entries(given.hooks ?? {}).map(([name, hook]): [string, unknown] => [`hooks.${name}`, hook]),
    ...(given.user?.validators ?? []).map((validator, index): [string, unknown] => [
      `user.validators.${index}`,
      validator,
    ]),
    ...validators.map((validator, index): [string, unknown] => [`password.validators.${index}`, validator]),
  ]
  for (const [option, value] of functions) {
    if (value !== undefined && typeof value !== 'function')
      throw new InvalidOption(option, 'is not a function', 'Pass a function or leave it out')
  }
  const { preset = 'aspnet' } = given
  const isHardened = preset === 'hardened'
  const publicUrl = given.publicUrl === undefined ? null : origin('publicUrl', given.publicUrl)
  const resolved: ResolvedOptions = {
    prefix: given.prefix ?? '',
    routeLogging: defined({ logLevel: given.logLevel, logSerializers: given.logSerializers }),
    schema: given.schema ?? 'identity',
    migrate: given.migrate ?? 'auto',
    secrets: readSecrets(given.secret, environment, given.keys !== undefined),
    publicUrl,
    endpoints: resolveEndpoints(given.endpoints, given.email !== undefined && given.links?.confirmEmail === undefined),
    links: {
      confirmEmail: page('links.confirmEmail', given.links?.confirmEmail),
      resetPassword: page('links.resetPassword', given.links?.resetPassword),
    },
    codes: { confirmEmailSeconds: 86_400, resetPasswordSeconds: 3600, ...defined(given.codes ?? {}) },
    twoFactor: {
      issuer: publicUrl?.hostname ?? 'Fastify',
      allowCodeReuse: false,
      windowSteps: 1,
      rememberMachineSeconds: 1_209_600,
      ...defined(given.twoFactor ?? {}),
    },
    email: given.email ?? null,
    notices: [...(given.notices ?? (isHardened ? securityNotices : []))],
    jsonNaming: given.jsonNaming ?? 'camelCase',
    cookies: given.cookies ?? true,
    bearer: {
      accessTokenSeconds: bearer.accessTokenSeconds ?? 3600,
      refreshTokenSeconds: bearer.refreshTokenSeconds ?? 1_209_600,
      rotateRefreshTokens: bearer.rotateRefreshTokens ?? true,
      reuseGraceSeconds: bearer.reuseGraceSeconds ?? 30,
      readToken: bearer.readToken ?? null,
    },
    cookie: {
      name: cookie.name ?? null,
      lifetimeSeconds: cookie.lifetimeSeconds ?? 1_209_600,
      slidingExpiration: cookie.slidingExpiration ?? true,
      sameSite: cookie.sameSite ?? 'lax',
      secure: cookie.secure ?? 'auto',
      domain: cookie.domain ?? null,
      path: cookie.path ?? '/',
    },
    preset,
    password: { ...(isHardened ? hardenedPasswordDefaults : passwordDefaults), ...defined(rules) },
    passwordValidators: [...validators],
    hasher,
    lockout: {
      allowedForNewUsers: true,
      maxFailedAccessAttempts: 5,
      lockoutSeconds: 300,
      ...defined(given.lockout ?? {}),
    },
    sessions: { absoluteSeconds: given.sessions?.absoluteSeconds ?? 30 * 86_400 },
    user: {
      allowedUserNameCharacters:
        given.user?.allowedUserNameCharacters === undefined
          ? nameCharacters
          : given.user.allowedUserNameCharacters || null,
      requireUniqueEmail: given.user?.requireUniqueEmail ?? false,
      userNameIsEmail: given.user?.userNameIsEmail ?? true,
      validators: [...(given.user?.validators ?? [])],
    },
    authorization: { policies: { ...given.authorization?.policies }, explicit: given.authorization?.explicit ?? false },
    profile: given.profile === undefined ? null : checkProfile(given.profile),
    claims: given.claims ?? (() => []),
    hooks: { ...given.hooks },
    signIn: {
      requireConfirmedEmail: isHardened,
      requireConfirmedPhoneNumber: false,
      requireConfirmedAccount: false,
      ...defined(given.signIn ?? {}),
    },
    securityStamp: { validationSeconds: given.securityStamp?.validationSeconds ?? 1800 },
    csrf:
      csrf === false
        ? null
        : { trustedOrigins: trustedOrigins(csrf === true ? [] : (csrf.trustedOrigins ?? []), publicUrl) },
    decorator: given.decorator ?? 'identity',
    keys:
      given.keys === undefined ? null : given.keys.map(({ id, secret }) => ({ id, secret: strong('keys', secret) })),
    describe: given.errors ?? describeError,
    clock: given.clock ?? Date.now,
    ownClock: given.clock,
  }
  checkCookie(resolved)
  if (resolved.keys !== null && new Set(resolved.keys.map(({ id }) => id)).size < resolved.keys.length) {
    throw new InvalidOption('keys', 'holds two keys of one id', 'Give each key an id of its own')
  }
  if (resolved.email !== null && publicUrl === null) {
    throw new InvalidOption(
      'publicUrl',
      "is needed by option 'email'",
      'Set the origin that mailed links shall have, for example https://api.example.com',
    )
  }
  if (isHardened && resolved.email === null) {
    throw new InvalidOption('email', "is needed by preset 'hardened'", 'Say who sends mail, or leave preset out')
  }
  if (resolved.notices.length > 0 && resolved.email === null) {
    throw new InvalidOption('email', "is needed by option 'notices'", 'Say who sends mail, or leave notices out')
  }
  if ((isHardened || resolved.notices.length > 0) && resolved.email !== null && !mailsNotices(resolved.email)) {
    const whose = isHardened ? "preset 'hardened' needs" : "option 'notices' names"
    throw new InvalidOption(
      'email',
      `cannot send what ${whose}`,
      'Give the sender a method sendSecurityNotice(user, email, notice)',
    )
  }
  return deepFreeze(resolved)
}

/**
 * Option `endpoints` of one prefix, complete.
 *
 * @param mailsOurLinks whether mailed links point to the `/confirmEmail` of the prefix they were asked under
 * @throws FST_IDENTITY_INVALID_OPTION for an unknown endpoint, and where mailed links would point to one that is off
 */
export function resolveEndpoints(
  given: IdentityOptions['endpoints'] = {},
  mailsOurLinks: boolean,
): Readonly<Record<Operation, boolean>> {
  checkShape(endpointsSchema, given, 'endpoints')
  const on = {
    ...(Object.fromEntries(operations.map((name) => [name, true])) as Record<Operation, boolean>),
    ...defined(given),
  }
  if (mailsOurLinks && !on.confirmEmail && (on.register || on.resendConfirmationEmail || on.info)) {
    throw new InvalidOption(
      'endpoints.confirmEmail',
      'is off, where mailed links point to',
      'Leave it on, or set links.confirmEmail to a page of yours',
    )
  }
  return on
}

function checkShape(schema: TObject, value: unknown, path: string): void {
  const first = Value.Errors(schema, value).First()
  if (first === undefined) return
  const name =
    [path, ...first.path.split('/').filter((part) => part !== '')].filter((part) => part !== '').join('.') || 'options'
  if (first.message === 'Unexpected property') {
    throw new InvalidOption(name, 'is unknown', `Known here: ${knownNames(schema, first.path).join(', ')}`)
  }
  throw new InvalidOption(name, `is wrong (${describe(first.value)})`, first.message)
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

// A JavaScript host may pass anything.
function checkDatabase(value: unknown): void {
  if (
    value === undefined ||
    typeof value === 'string' ||
    (typeof value === 'object' && value !== null && !Array.isArray(value))
  )
    return
  throw new InvalidOption(
    'database',
    `is wrong (${describe(value)})`,
    'Pass a connection string, pg.Pool, pg.PoolConfig or Kysely instance',
  )
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

function readSecrets(
  given: string | readonly string[] | undefined,
  environment: NodeJS.ProcessEnv,
  hasKeys: boolean,
): readonly string[] {
  const named = given ?? (environment.IDENTITY_SECRET === '' ? undefined : environment.IDENTITY_SECRET)
  const option = given === undefined ? 'IDENTITY_SECRET' : 'secret'
  if (named === undefined) {
    if (environment.NODE_ENV === 'production' && !hasKeys) throw new SecretMissing()
    return []
  }
  const list: readonly unknown[] = typeof named === 'string' ? [named] : named
  if (!Array.isArray(list) || list.length === 0)
    throw new InvalidOption(option, 'is empty', 'Pass one string or a list, newest first')
  return list.map((secret) => {
    if (typeof secret !== 'string')
      throw new InvalidOption(option, 'is not a string', 'Pass one string or a list of strings, newest first')
    return strong(option, secret)
  })
}

function strong(option: string, secret: string): string {
  if (Buffer.byteLength(secret) >= 32) return secret
  throw new InvalidOption(option, 'holds a secret shorter than 32 bytes', 'Take the output of: openssl rand -base64 32')
}

function origin(option: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== '' ||
    url.password !== ''
  ) {
    throw new InvalidOption(
      option,
      'is not an origin',
      'Write scheme, host and port only, for example https://api.example.com',
    )
  }
  return url
}

function page(option: string, text: string | undefined): string | null {
  if (text === undefined) return null
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidOption(
      option,
      'is not an absolute URL',
      'Write it whole, for example https://app.example.com/confirm',
    )
  }
  return text
}

function trustedOrigins(list: readonly string[], publicUrl: URL | null): ReadonlySet<string> {
  if (list.includes('*'))
    throw new InvalidOption(
      'csrf.trustedOrigins',
      'contains *',
      'Name each origin, for example https://app.example.com',
    )
  const origins = list.map((text) => origin('csrf.trustedOrigins', text).origin)
  return new Set(publicUrl === null ? origins : [publicUrl.origin, ...origins])
}

// Names of ours that a profile's field cannot have, in any spelling that requests are read in.
const reserved = new Set([
  'email',
  'username',
  'password',
  'isemailconfirmed',
  'newemail',
  'newpassword',
  'oldpassword',
  'id',
  'emailconfirmed',
  'roles',
  'claims',
])

function checkProfile(profile: TObject): TObject {
  const fields = (profile as { properties?: unknown } | null)?.properties // a JavaScript host may pass anything
  const names = typeof fields === 'object' && fields !== null ? Object.keys(fields) : []
  if (names.length === 0) {
    throw new InvalidOption(
      'profile',
      'is no TypeBox object with fields',
      'Pass Type.Object({ nickname: Type.String({ maxLength: 64 }) }) or the like',
    )
  }
  const spelled = (name: string) => name.toLowerCase().replaceAll('_', '')
  const taken = names.find((name) => reserved.has(spelled(name)))
  if (taken !== undefined)
    throw new InvalidOption('profile', `has the field '${taken}', which is ours`, 'Give it another name')
  const again = names.find((name, index) => names.findIndex((other) => spelled(other) === spelled(name)) < index)
  if (again !== undefined) {
    const first = names.find((name) => spelled(name) === spelled(again))
    throw new InvalidOption(
      'profile',
      `has the fields '${first ?? again}' and '${again}', which are read alike`,
      'Give one of them another name',
    )
  }
  return profile
}

function checkCookie({ cookie, decorator }: ResolvedOptions): void {
  if (cookie.sameSite === 'none' && cookie.secure === false) {
    throw new InvalidOption(
      'cookie.sameSite',
      "'none' needs a secure cookie",
      "Set cookie.secure to true, or sameSite to 'lax'",
    )
  }
  const name = cookie.name ?? decorator
  if (name.startsWith('__Host-') && (cookie.domain !== null || cookie.path !== '/' || cookie.secure === false)) {
    throw new InvalidOption(
      'cookie.name',
      "starts with '__Host-', which allows no domain, no path but / and no insecure cookie",
      'Choose another name',
    )
  }
}

/** Members that are there, so that `undefined` never replaces a default. */
function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Dropping undefined members is what the type says and what TypeScript cannot see through Object.entries.
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

// A host's own sender, hasher and profile stay as they are.
const foreign = new Set(['email', 'hasher', 'profile'])

function deepFreeze<T extends object>(value: T): T {
  for (const [name, member] of Object.entries(value) as [string, unknown][]) {
    if (foreign.has(name)) continue
    const plain =
      typeof member === 'object' &&
      member !== null &&
      (Array.isArray(member) || Object.getPrototypeOf(member) === Object.prototype)
    if (plain) deepFreeze(member as object)
  }
  return Object.freeze(value)
}
