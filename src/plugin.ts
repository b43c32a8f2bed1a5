// The wiring of HTTP: options → database → managers (compose.ts) → decorators → routes. An unencapsulated shell
// decorates the host's scope; the routes live in a scope inside, because an unencapsulated plugin ignores its prefix.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { KeyManager } from './accounts/keys/key-manager.js'
import type { IdentityEmitter } from './accounts/users/hooks.js'
import type { MailManager } from './accounts/mail/outbox.js'
import type { Principal } from './http/principal.js'
import type { RoleManager } from './accounts/roles/role-manager.js'
import type { SessionManager } from './accounts/sessions/session-manager.js'
import { startIdleness } from './accounts/sessions/idle.js'
import { learn } from './accounts/sessions/learn.js'
import { startTidying } from './accounts/sessions/tidying.js'
import type { SignedIn, SignInManager } from './accounts/sign-in/sign-in-manager.js'
import type { UserManager } from './accounts/managers/user-manager.js'
import { createSender } from './email/sender.js'
import { checkAccess } from './http/access-check.js'
import { type Opened, peek } from './http/authenticate.js'
import { realmKey } from './http/authorize.js'
import { cookieSerializer } from './http/cookie.js'
import { createDocumentation, documentGuards } from './http/openapi.js'
import { findRealm, type Realm } from './http/realm.js'
import { collectRoutes } from './http/route-table.js'
import { createSignInAnswers, type SignInAnswers } from './http/sign-in-answers.js'
import { AlreadyRegistered, NotRegistered, SchemaInUse } from './errors.js'
import { checkHealth, type Health, ping } from './health.js'
import {
  type Accounts,
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
import { type Presence, startPresence } from './revocation/presence.js'
import { createMount } from './routes/index.js'
import { connect, type Connection } from './store/connect.js'
import { migrate, requireMigrated } from './store/migrate.js'
import { placeOf, requireRights } from './store/usable.js'
import { findNotes, type Notes, oldestWriterSeconds } from './store/notes.js'
import { findMissingSessions, isSessionLive } from './store/sessions.js'
import { warnOfSetup, watchProxy } from './setup-warnings.js'
import { createTicketCache } from './tokens/ticket-cache.js'

/** `app.identity`. */
export interface Identity {
  /** Users, their credentials, roles and claims. */
  readonly users: UserManager
  /** Opens and ends sessions, for login routes of your own. */
  readonly signIn: SignInManager & SignInAnswers
  /** Roles and their claims. */
  readonly roles: RoleManager
  /** Sessions of users: lists and ends them. */
  readonly sessions: SessionManager
  /** The keys of tokens and codes. */
  readonly keys: KeyManager
  /** The outbox. */
  readonly mail: MailManager
  /** Events for an audit log, emitted after commit. */
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
  if (app.hasDecorator(options.decorator)) throw new AlreadyRegistered(options.decorator)
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
  await claimSchema(app, connection, options)
  const sender = options.email === null ? null : createSender(options.email)
  if (sender === null) log.info("option 'email' is not set: no mail is sent")
  const accounts = await openAccounts(
    connection,
    { ...options, openForSeconds: longestTokenSeconds(options), idleSeconds: longestIdleSeconds(options) },
    sender,
    log,
  )
  warnOfSetup(app.log, options, accounts.keys.isUnwrapped)
  app.addHook('onClose', () => accounts.keys.close())
  const { feed, presence } = await startRevocation(app, options, connection, accounts, log)
  const { idleSeconds } = options.sessions
  const idleness = idleSeconds === null ? null : startIdleness({ db: connection, idleSeconds, log })
  accounts.events.on('refreshTokenReused', (session) =>
    log.warn(session, 'a used refresh token came back: its session was ended'),
  )
  const documentation = createDocumentation({ options })
  const context = {
    ...contextOf(options, connection, accounts),
    sessionUsed: idleness === null ? null : (sessionId: string) => idleness.used(sessionId),
    feed,
    documentation,
    opened: createTicketCache<Opened>(accounts.keys.onReplace, ({ ticket }) => presence.seen(ticket.sessionId)),
    serializeCookie: await cookieSerializer(app),
    watchProxy: watchProxy(app.log),
  }
  const mount = createMount(context)
  const mailsOurLinks = accounts.mail.isOn && options.links.confirmEmail === null
  const realm: Realm = {
    ...context,
    mount: (scope, switches, asked) => mount(scope, resolveEndpoints(switches, mailsOurLinks), asked),
  }
  decorate(app, realm, identityOf(accounts, createSignInAnswers(context), connection, feed))
  const routes = collectRoutes(app)
  checkAccess(app, routes, context)
  documentGuards(app, routes, options, documentation)
  const stopTidying = startTidying({
    db: connection,
    clock: options.clock,
    denyList: accounts.denyList,
    claimChanges: accounts.claimChanges,
    keepEndedSeconds: longestUnvalidatedSeconds(options) + 3600,
    pollMilliseconds: options.revocation.pollSeconds * 1000,
    log,
  })
  app.addHook('onClose', async () => {
    stopTidying()
    await idleness?.stop()
    await accounts.mail.close()
    await accounts.hasher.close()
    accounts.throttle.close()
    await connection.close()
  })
  await mount(app, options.endpoints, { ...options.routeLogging, prefix: options.prefix })
}

/** Starts learning what other instances end and change; resolves when what they did before is known. */
async function startRevocation(
  app: FastifyInstance,
  options: ResolvedOptions,
  connection: Connection,
  { sessionEnds, claimsChanged, denyList }: Accounts,
  log: FastifyInstance['log'],
): Promise<{ readonly feed: Feed; readonly presence: Presence }> {
  const pollMilliseconds = options.revocation.pollSeconds * 1000
  const rememberSeconds = longestUnvalidatedSeconds(options) + 60
  const learning = { db: connection, sessionEnds, claimsChanged, log }
  let isStarting = true
  const feed = startFeed<Notes>({
    poll: (seconds, found) => findNotes(connection, seconds, found),
    oldestWriterSeconds: () => oldestWriterSeconds(connection),
    found: (notes) => learn(learning, notes, isStarting),
    ping: () => ping(connection),
    firstSeconds: rememberSeconds,
    intervalMilliseconds: pollMilliseconds,
    lagMilliseconds: Math.max(0, pollMilliseconds - 500),
  })
  app.addHook('onClose', () => feed.stop())
  const presence = startPresence({
    onChecked: (missing) => denyList.replaceMissing(missing),
    findMissing: (ids) => findMissingSessions(connection, ids),
    rememberSeconds,
    intervalMilliseconds: Math.max(30_000, pollMilliseconds),
  })
  app.addHook('onClose', () => presence.stop())
  await feed.refresh()
  isStarting = false
  return { feed, presence }
}

/** What routes and guards use of the managers and options. */
function contextOf(options: ResolvedOptions, connection: Connection, accounts: Accounts) {
  const { users, enumerationSafe, emailChanges, reauthentication, codeProof, signIn, sessions } = accounts
  const { mail, keys, hasher, denyList, claimChanges, currentClaims, sessionEnds } = accounts
  return {
    options,
    clock: options.clock,
    describe: options.describe,
    users,
    enumerationSafe,
    emailChanges,
    reauthentication,
    codeProof,
    signIn,
    sessions,
    mail,
    keys,
    hasher,
    denyList,
    claimChanges,
    currentClaims,
    signalOf: (sessionId: string, expiresAt: number) => sessionEnds.signalOf(sessionId, expiresAt),
    validating: new Map<string, Promise<SignedIn | null>>(),
    isSessionLive: (sessionId: string) => isSessionLive(connection, sessionId),
    mounted: new Set<string>(),
    slot: Symbol('fastify-identity.principal'),
  }
}

function identityOf(
  { users, signIn, roles, sessions, keys, mail, events }: Accounts,
  answers: SignInAnswers,
  connection: Connection,
  feed: Feed,
): Identity {
  return {
    users,
    signIn: { ...signIn.host, ...answers },
    roles,
    sessions,
    keys: keys.manager,
    mail: { flush: () => mail.flush() },
    events,
    async migrate() {
      await migrate(connection)
    },
    healthCheck: () => checkHealth(connection, feed),
  }
}

async function prepareDatabase(connection: Connection, { migrate: mode }: ResolvedOptions): Promise<void> {
  if (mode === 'auto') await migrate(connection)
  if (mode === 'check') await requireMigrated(connection)
  await requireRights(connection)
}

// By the server, which all scopes of an application share.
const schemasOf = new WeakMap<object, Map<string, string>>()

// Two realms over the same users would undo each other's work: each has keys, a deny list and an outbox of its own.
async function claimSchema(
  { server }: FastifyInstance,
  connection: Connection,
  { schema, decorator }: ResolvedOptions,
): Promise<void> {
  const place = await placeOf(connection)
  const claimed = schemasOf.get(server) ?? new Map<string, string>()
  const other = claimed.get(place)
  if (other !== undefined) throw new SchemaInUse(schema, other)
  schemasOf.set(server, claimed.set(place, decorator))
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
}

// The release 5.12.2, which package.json asks for, calls itself 5.12.1 at run time.
const fastifyRange = '>=5.12.1 <7'

/** What `identityRoutes` takes. */
export interface IdentityRoutesOptions {
  /** Where the routes go. Default `''`. */
  prefix?: string
  /** The realm, by option `decorator` of its registration. Default `'identity'`. */
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
    await realm.mount(app, endpoints, { ...logging, prefix })
  },
  { fastify: fastifyRange },
)

/** The plugin: `await app.register(identity, { prefix: '/account' })`. */
export const identity = fp(identityPlugin, { name: 'fastify-identity', fastify: fastifyRange })
