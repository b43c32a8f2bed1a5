// The only wiring: options → database → key ring → managers → decorators → routes. A wrapped shell decorates the host's scope; the
// routes live in a scope inside, because a wrapped plugin ignores its prefix.
import { fastifyCookie } from '@fastify/cookie'
import { EventEmitter } from 'node:events'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { AccountContext } from './accounts/account-context.js'
import { type KeyManager, openKeys } from './accounts/key-manager.js'
import { createNotifier, type IdentityEmitter } from './accounts/hooks.js'
import type { HostSignIn } from './accounts/host-sign-in.js'
import { createMail, type MailManager } from './accounts/mail-manager.js'
import type { Principal } from './accounts/principal.js'
import { createRoleManager, type RoleManager } from './accounts/role-manager.js'
import { createSecondFactors } from './accounts/second-factors.js'
import { createSessionEnder, createSessionManager, type SessionEnder, type SessionManager } from './accounts/session-manager.js'
import { createSignInManager, type SignInManager } from './accounts/sign-in-manager.js'
import type { TokenProviders } from './accounts/token-provider.js'
import { createUserManager, type UserManager } from './accounts/user-manager.js'
import { createSender } from './email/sender.js'
import { peek } from './http/authenticate.js'
import { watchRoutes } from './http/openapi.js'
import { type Opened, findRealm, type Realm, realmKey, type TicketCache } from './http/realm.js'
import { NotRegistered } from './errors.js'
import { type IdentityOptions, resolveEndpoints, type ResolvedOptions, resolveOptions, type RouteLogging } from './options.js'
import { createHasher, type QueuedHasher, queueHasher } from './passwords/hasher.js'
import { createDenyList } from './revocation/deny-list.js'
import { startFeed } from './revocation/feed.js'
import { mountUnder } from './routes/index.js'
import { purgeAttempts } from './store/attempts.js'
import { connect, type Connection } from './store/database.js'
import { isUnusable, migrate, requireMigrated, unreachable } from './store/migrate.js'
import { findRevoked, isSessionLive, purgeSessions } from './store/sessions.js'
import { createOpenedCache, createSightings } from './tokens/opened.js'

/** `app.identity`. */
export interface Identity {
  readonly users: UserManager
  readonly signIn: Pick<SignInManager, 'passwordSignIn' | 'canSignIn' | keyof HostSignIn>
  readonly roles: RoleManager
  readonly sessions: SessionManager
  readonly keys: KeyManager
  readonly mail: MailManager
  /** Everything worth an audit line, after commit. */
  readonly events: IdentityEmitter
  /** Runs pending migrations under a lock. */
  migrate(): Promise<void>
  /** Whether the database answers and revocations are known; never throws. */
  healthCheck(): Promise<{ readonly ok: boolean, readonly database: boolean, readonly revocations: boolean }>
}

declare module 'fastify' {
  interface FastifyInstance {
    identity: Identity
  }
  interface FastifyRequest {
    /**
     * Who is calling. Behind `requireAuthorization()` never null. On a route without a guard it is what the ticket says by itself:
     * null for nobody, for a cookie whose user is due to be read again, and for a cookie in an unsafe request of another site.
     */
    readonly identity: Principal | null
  }
  interface FastifyContextConfig {
    /** Marks our own routes. */
    identity?: 'own'
  }
}

async function identityPlugin(app: FastifyInstance, given: IdentityOptions): Promise<void> {
  const options = resolveOptions(given, process.env)
  const log = app.log.child({ plugin: 'fastify-identity' })
  const connection = connect(given.database, options.schema, options.ownClock, process.env, (error) => {
    log.warn({ err: error }, 'a database connection was lost')
  })
  try {
    await open(app, options, connection, log)
  } catch (error) {
    await connection.close()
    throw isUnusable(error) ? unreachable(error) : error
  }
}

async function open(app: FastifyInstance, options: ResolvedOptions, connection: Connection, log: FastifyInstance['log']): Promise<void> {
  if (options.secrets.length === 0 && options.keys === null) {
    log.warn("option 'secret' (IDENTITY_SECRET) is not set: keys lie unwrapped in the database. In production this is refused")
  }
  await prepareDatabase(connection, options)
  const { clock } = options
  const keys = await openKeys(connection, {
    secrets: options.secrets,
    ring: options.keys,
    appName: options.decorator,
    openForSeconds: Math.max(
      options.bearer.accessTokenSeconds, options.bearer.refreshTokenSeconds, options.cookie.lifetimeSeconds,
      options.twoFactor.rememberMachineSeconds, options.codes.confirmEmailSeconds, options.codes.resetPasswordSeconds,
    ),
    onError: (error) => log.warn({ err: error }, 'the key ring, or a key of it, was not read; it is tried again'),
  }, clock)
  app.addHook('onClose', () => keys.close())
  const longestUnvalidatedSeconds = Math.max(options.bearer.accessTokenSeconds, options.securityStamp.validationSeconds)
  const denyList = createDenyList()
  const ender = createSessionEnder(denyList, clock, longestUnvalidatedSeconds)
  const feed = startFeed({
    poll: (seconds) => findRevoked(connection, seconds),
    found: (ids) => ender.ended(ids),
    ping: () => ping(connection),
    firstSeconds: longestUnvalidatedSeconds + 60,
  })
  app.addHook('onClose', () => feed.stop())
  await feed.refresh()

  const hasher = openHasher(options.hasher)
  const events: IdentityEmitter = new EventEmitter()
  events.on('refreshTokenReused', (session) => log.warn(session, 'a used refresh token came back: its session was ended'))
  const notifier = createNotifier(options.hooks, events, (error) => log.error({ err: error }, 'a listener of app.identity.events failed'))
  // The feed hears of these sessions too, and of those of other instances: only what was ended here is told here.
  const ownEnder: SessionEnder = {
    end: (db, selection) => ender.end(db, selection),
    ended(sessionIds) {
      ender.ended(sessionIds)
      if (sessionIds.length > 0) notifier.emit('sessionsEnded', { sessionIds })
    },
  }
  const sender = options.email === null ? null : createSender(options.email)
  if (sender === null) log.info("option 'email' is not set: no mail is sent")
  const mail = createMail({ db: connection, vault: () => keys.vault(), sender, links: options.links, log })
  const context: AccountContext = {
    db: connection,
    clock,
    hasher,
    passwordRules: options.password,
    passwordValidators: options.passwordValidators,
    userRules: options.user,
    describe: options.describe,
    sessions: ownEnder,
    keys,
    notifier,
  }
  const tokenProviders: TokenProviders = new Map()
  const users = createUserManager(context, options, tokenProviders)
  const signIn = createSignInManager({
    db: connection,
    clock,
    hasher,
    vault: () => keys.vault(),
    limits: options.lockout,
    lockoutForNewUsers: options.lockout.allowedForNewUsers,
    rules: options.signIn,
    absoluteSeconds: options.sessions.absoluteSeconds,
    rotateRefreshTokens: options.bearer.rotateRefreshTokens,
    reuseGraceSeconds: options.bearer.reuseGraceSeconds,
    sessions: ownEnder,
    secondFactors: createSecondFactors(context, options.twoFactor, tokenProviders),
    notifier,
  })
  const sessions = createSessionManager(connection, ownEnder)
  const cookies: { serialize: Realm['serializeCookie'] } = { serialize: () => { throw new NotRegistered(options.decorator) } }
  const realm: Realm = {
    options,
    clock,
    describe: options.describe,
    users,
    signIn,
    sessions,
    mail,
    keys,
    opened: ticketCache(),
    validating: new Map(),
    denyList,
    feed,
    events,
    async mailLater(write) {
      if (!mail.isOn) return
      await write(connection, mail)
      mail.written()
    },
    isSessionLive: (sessionId) => isSessionLive(connection, sessionId),
    isHasherBusy: () => hasher.busy,
    serializeCookie: (name, value, attributes) => cookies.serialize(name, value, attributes),
    mounted: new Set(),
    slot: Symbol('fastify-identity.principal'),
  }

  decorate(app, realm, {
    users,
    signIn,
    roles: createRoleManager(context),
    sessions,
    keys: keys.manager,
    mail,
    events,
    async migrate() { await migrate(connection) },
    async healthCheck() {
      const database = await ping(connection).then(() => true, () => false)
      const revocations = feed.state() !== 'blind'
      return { ok: database && revocations, database, revocations }
    },
  })
  const stopTidying = tidyUp(connection, denyList, options, longestUnvalidatedSeconds, log)
  app.addHook('onClose', async () => {
    stopTidying()
    await mail.close()
    await hasher.close()
    await connection.close()
  })
  await app.register(async (scope) => {
    // Where the host has not registered it, @fastify/cookie stays in this scope, so that the host still can.
    if (!scope.hasDecorator('serializeCookie')) await scope.register(fastifyCookie, { hook: false })
    cookies.serialize = (name, value, attributes) => scope.serializeCookie(name, value, attributes)
  })
  await mountUnder(app, realm, options.endpoints, { ...options.routeLogging, prefix: options.prefix })
}

async function prepareDatabase(connection: Connection, { migrate: mode }: ResolvedOptions): Promise<void> {
  if (mode === 'auto') await migrate(connection)
  if (mode === 'check') await requireMigrated(connection)
}

/** Asks what a request would ask. */
function ping(connection: Connection): Promise<unknown> {
  return isSessionLive(connection, '00000000-0000-0000-0000-000000000000')
}

function openHasher(option: ResolvedOptions['hasher']): QueuedHasher {
  return 'verify' in option ? queueHasher(option) : createHasher(option)
}

// Opened tickets of one ring; another ring starts anew. 10,000 tickets, at most 32 MB.
function ticketCache(): TicketCache {
  const cache = createOpenedCache<Opened>(10_000, 32 * 1024 * 1024)
  const isSeenAgain = createSightings()
  let version = 0
  return {
    get(ringVersion, purpose, token) {
      if (ringVersion !== version) {
        cache.clear()
        version = ringVersion
      }
      return cache.get(purpose, token)
    },
    set(purpose, token, opened) {
      if (isSeenAgain(token)) cache.set(purpose, token, opened)
    },
  }
}

function decorate(app: FastifyInstance, realm: Realm, identity: Identity): void {
  const { decorator } = realm.options
  app.decorate(realmKey(decorator), realm)
  app.decorate(decorator, identity)
  app.decorateRequest(realm.slot, undefined)
  app.decorateRequest(decorator, {
    getter(this: FastifyRequest) { return peek(realm, this) },
  })
  watchRoutes(app, realm)
}

// The release 5.12.2, which package.json asks for, calls itself 5.12.1 at run time.
const fastifyRange = '>=5.12.1 <7'

const tidyMilliseconds = 60_000

/** Drops what is over, once a minute; each instance does, and none must. */
function tidyUp(
  connection: Connection, denyList: Realm['denyList'], { clock }: ResolvedOptions, keepRevokedSeconds: number, log: FastifyInstance['log'],
): () => void {
  const timer = setInterval(() => {
    denyList.purge(clock())
    void Promise.all([purgeSessions(connection, keepRevokedSeconds + 3600), purgeAttempts(connection)])
      .catch((error: unknown) => log.debug({ err: error }, 'tidying up failed; it is tried again'))
  }, tidyMilliseconds)
  timer.unref()
  return () => clearInterval(timer)
}

export interface IdentityRoutesOptions {
  prefix?: string
  /** Which realm, by option `decorator` of its registration. Default `'identity'`. */
  decorator?: string
  /** `{ register: false }` leaves an endpoint out here. Default: all on. */
  endpoints?: IdentityOptions['endpoints']
}

/**
 * The routes of a registered realm under another prefix; mailed links point to the prefix they were asked under.
 *
 * @throws FST_IDENTITY_NOT_REGISTERED where the plugin is not registered in this scope or a parent
 * @example app.register(identityRoutes, { prefix: '/v2/account' })
 */
export const identityRoutes = fp(async (
  app: FastifyInstance, { prefix = '', decorator = 'identity', endpoints = {}, ...logging }: IdentityRoutesOptions & RouteLogging,
) => {
  const realm = findRealm(app, decorator)
  if (realm === null) throw new NotRegistered(decorator)
  const mounted = resolveEndpoints(endpoints, realm.mail.isOn && realm.options.links.confirmEmail === null)
  await mountUnder(app, realm, mounted, { ...logging, prefix })
}, { fastify: fastifyRange })

/** The plugin: `await app.register(identity, { prefix: '/account' })`. */
export const identity = fp(identityPlugin, { name: 'fastify-identity', fastify: fastifyRange })
