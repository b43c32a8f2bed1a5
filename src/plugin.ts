// The only wiring of HTTP: options → database → managers (open.ts) → decorators → routes. A wrapped shell decorates the host's scope; the
// routes live in a scope inside, because a wrapped plugin ignores its prefix.
import { fastifyCookie } from '@fastify/cookie'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { KeyManager } from './accounts/keys/key-manager.js'
import type { IdentityEmitter } from './accounts/users/hooks.js'
import type { MailManager } from './accounts/mail/outbox.js'
import type { Principal } from './http/principal.js'
import type { RoleManager } from './accounts/roles/role-manager.js'
import type { SessionManager } from './accounts/sessions/session-manager.js'
import type { SignInManager } from './accounts/sign-in/sign-in-manager.js'
import type { UserManager } from './accounts/managers/user-manager.js'
import { createSender } from './email/sender.js'
import { peek } from './http/authenticate.js'
import { watchRoutes } from './http/openapi.js'
import { findRealm, type Opened, type Realm, realmKey, type TicketCache } from './http/context.js'
import { createSignInAnswers, type SignInAnswers } from './http/sign-in-answers.js'
import { NotRegistered } from './errors.js'
import {
  closingOnFailure,
  longestIdleSeconds,
  longestTokenSeconds,
  longestUnvalidatedSeconds,
  openAccounts,
} from './compose.js'
import {
  type IdentityOptions,
  resolveEndpoints,
  type ResolvedOptions,
  resolveOptions,
  type RouteLogging,
} from './options.js'
import { type Feed, startFeed } from './revocation/feed.js'
import { mountUnder } from './routes/index.js'
import { purgeAttempts } from './store/attempts.js'
import { connect, type Connection } from './store/connect.js'
import { migrate, requireMigrated } from './store/migrate.js'
import { readClock, requireRights } from './store/usable.js'
import { findRevoked, isSessionLive, oldestWriterSeconds, purgeSessions } from './store/sessions.js'
import { clockSkewSeconds } from './tokens/fields.js'
import { createOpenedCache, createSightings } from './tokens/ticket-cache.js'

/** The result of `app.identity.healthCheck()`. */
export interface Health {
  /** All of the others, and a clock within what tokens tolerate. */
  readonly ok: boolean
  /** The database answers. */
  readonly database: boolean
  /** Ended sessions are known. */
  readonly revocations: boolean
  /**
   * How many seconds the clock of this machine is ahead of the database's. Beyond 60 on either side, other instances refuse the tokens of this
   * one, or this one theirs. Missing where the database does not answer, and with option `clock`, which takes the place of both.
   */
  readonly clockSkewSeconds?: number
}

/** `app.identity`. */
export interface Identity {
  readonly users: UserManager
  readonly signIn: SignInManager & SignInAnswers
  readonly roles: RoleManager
  readonly sessions: SessionManager
  readonly keys: KeyManager
  readonly mail: MailManager
  /** Everything worth an audit line, after commit. */
  readonly events: IdentityEmitter
  /** Runs pending migrations under a lock. */
  migrate(): Promise<void>
  /** Whether this instance can serve; never throws. */
  healthCheck(): Promise<Health>
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
  const onError = (error: Error) => log.warn({ err: error }, 'a database connection was lost')
  const connection = connect(
    given.database,
    options.schema,
    options.ownClock,
    process.env,
    onError,
    options.databaseTimeouts,
  )
  await closingOnFailure(connection, () => open(app, options, connection, log))
}

async function open(
  app: FastifyInstance,
  options: ResolvedOptions,
  connection: Connection,
  log: FastifyInstance['log'],
): Promise<void> {
  await prepareDatabase(connection, options)
  const { clock } = options
  const sender = options.email === null ? null : createSender(options.email)
  if (sender === null) log.info("option 'email' is not set: no mail is sent")
  const {
    users,
    enumerationSafe,
    reauthentication,
    signIn,
    roles,
    sessions,
    keys,
    mail,
    events,
    hasher,
    denyList,
    ender,
  } = await openAccounts(
    connection,
    { ...options, openForSeconds: longestTokenSeconds(options), idleSeconds: longestIdleSeconds(options) },
    sender,
    log,
  )
  app.addHook('onClose', () => keys.close())
  const feed = startFeed({
    poll: (seconds, found) => findRevoked(connection, seconds, found),
    oldestWriterSeconds: () => oldestWriterSeconds(connection),
    found: (ids) => ender.ended(ids),
    ping: () => ping(connection),
    firstSeconds: longestUnvalidatedSeconds(options) + 60,
  })
  app.addHook('onClose', () => feed.stop())
  await feed.refresh()

  events.on('refreshTokenReused', (session) =>
    log.warn(session, 'a used refresh token came back: its session was ended'),
  )
  const cookies: { serialize: Realm['serializeCookie'] } = {
    serialize: () => {
      throw new NotRegistered(options.decorator)
    },
  }
  const realm: Realm = {
    options,
    clock,
    describe: options.describe,
    users,
    enumerationSafe,
    reauthentication,
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
    signIn: { ...signIn, ...createSignInAnswers(realm) },
    roles,
    sessions,
    keys: keys.manager,
    mail,
    events,
    async migrate() {
      await migrate(connection)
    },
    healthCheck: () => checkHealth(connection, feed),
  })
  const stopTidying = tidyUp(connection, denyList, options, log)
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

async function checkHealth(connection: Connection, feed: Feed): Promise<Health> {
  const revocations = feed.state() !== 'blind'
  try {
    const skew = await clockSkew(connection)
    if (skew === null) return { ok: revocations, database: true, revocations }
    return {
      ok: revocations && Math.abs(skew) <= clockSkewSeconds,
      database: true,
      revocations,
      clockSkewSeconds: skew,
    }
  } catch {
    return { ok: false, database: false, revocations }
  }
}

/** Seconds between the clock of this machine and the database's; null with a clock of the host's. Asks what a request would ask as well. */
async function clockSkew(connection: Connection): Promise<number | null> {
  await ping(connection)
  if (connection.clock !== undefined) return null
  const asked = Date.now()
  const database = await readClock(connection)
  // The answer was made at some time between the question and now.
  const skew = (asked + Date.now()) / 2 - database
  return Math.round(skew) / 1000
}

async function prepareDatabase(connection: Connection, { migrate: mode }: ResolvedOptions): Promise<void> {
  if (mode === 'auto') await migrate(connection)
  if (mode === 'check') await requireMigrated(connection)
  await requireRights(connection)
}

/** Asks what a request would ask. */
function ping(connection: Connection): Promise<unknown> {
  return isSessionLive(connection, '00000000-0000-0000-0000-000000000000')
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
    getter(this: FastifyRequest) {
      return peek(realm, this)
    },
  })
  watchRoutes(app, realm)
}

// The release 5.12.2, which package.json asks for, calls itself 5.12.1 at run time.
const fastifyRange = '>=5.12.1 <7'

const tidyMilliseconds = 60_000

/** Drops what is over, once a minute; each instance does, and none must. */
function tidyUp(
  connection: Connection,
  denyList: Realm['denyList'],
  options: ResolvedOptions,
  log: FastifyInstance['log'],
): () => void {
  const keepRevokedSeconds = longestUnvalidatedSeconds(options) + 3600
  const timer = setInterval(() => {
    denyList.purge(options.clock())
    void Promise.all([purgeSessions(connection, keepRevokedSeconds), purgeAttempts(connection)]).catch(
      (error: unknown) => log.debug({ err: error }, 'tidying up failed; it is tried again'),
    )
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
export const identityRoutes = fp(
  async (
    app: FastifyInstance,
    { prefix = '', decorator = 'identity', endpoints = {}, ...logging }: IdentityRoutesOptions & RouteLogging,
  ) => {
    const realm = findRealm(app, decorator)
    if (realm === null) throw new NotRegistered(decorator)
    const mounted = resolveEndpoints(endpoints, realm.mail.isOn && realm.options.links.confirmEmail === null)
    await mountUnder(app, realm, mounted, { ...logging, prefix })
  },
  { fastify: fastifyRange },
)

/** The plugin: `await app.register(identity, { prefix: '/account' })`. */
export const identity = fp(identityPlugin, { name: 'fastify-identity', fastify: fastifyRange })
