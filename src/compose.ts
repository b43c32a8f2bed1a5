// The wiring without Fastify: database → key ring → managers. The plugin adds HTTP; the command line calls it
// directly. Starts no feed and closes nothing: the caller, which opened the database, does.
import { EventEmitter } from 'node:events'
import type { AccountContext } from './accounts/users/change-user.js'
import { createNotifier, type IdentityEmitter } from './accounts/users/hooks.js'
import { createEnumerationSafeAccounts, type EnumerationSafeAccounts } from './accounts/users/enumeration-safe.js'
import { type KeyManager, type Keys, openKeys } from './accounts/keys/key-manager.js'
import { createMail } from './accounts/mail/outbox.js'
import { createNotices } from './accounts/mail/notices.js'
import { createEmailChanges, type EmailChanges } from './accounts/credentials/email-change.js'
import { createReauthentication, type Reauthentication } from './accounts/sign-in/reauthentication.js'
import { createRoleManager, type RoleManager } from './accounts/roles/role-manager.js'
import { createSecondFactors } from './accounts/second-factor/verify.js'
import { createCurrentClaims, type CurrentClaims } from './accounts/sessions/current-claims.js'
import { unusedSeconds } from './accounts/sessions/idle.js'
import { createSessionEnds, type SessionEnds } from './accounts/sessions/session-ends.js'
import { type CausedSessionManager, createSessionManager } from './accounts/sessions/session-manager.js'
import { createSignInManager, type TicketSignIn } from './accounts/sign-in/sign-in-manager.js'
import { twoFactorTicketSeconds } from './accounts/sign-in/two-factor-ticket.js'
import { createThrottle, type Throttle } from './accounts/throttle/throttle.js'
import type { TokenProviders } from './accounts/second-factor/token-providers.js'
import { createUserManager, type UserManager } from './accounts/managers/user-manager.js'
import type { UserRules } from './accounts/users/user-validator.js'
import type { ClosableSender } from './email/sender.js'
import type { ResolvedOptions } from './options.js'
import { createHasher, type QueuedHasher, queueHasher } from './passwords/hasher.js'
import { type ClaimChanges, createClaimChanges } from './revocation/claim-changes.js'
import { createDenyList, type DenyList } from './revocation/deny-list.js'
import type { ClaimChange } from './store/claim-changes.js'
import type { Connection } from './store/connect.js'
import { explainStart } from './store/migrate.js'
import { requireUtf8 } from './store/usable.js'
import { isSessionLive } from './store/sessions.js'

/** The options of the managers. */
export interface AccountOptions extends Omit<ResolvedOptions, 'user'> {
  readonly user: UserRules
  /**
   * How long a key opens after its successor seals, see `longestTokenSeconds`; null when the application's options
   * are not known.
   */
  readonly openForSeconds: number | null
  /** How long a session can be used after it was last seen, see `longestIdleSeconds`; null like `openForSeconds`. */
  readonly idleSeconds: number | null
}

/** The log of background work, such as a logger of Fastify. */
export interface AccountLog {
  warn(about: object | string, message?: string): void
  error(about: object, message: string): void
}

export interface Accounts {
  readonly users: UserManager
  /** With preset `hardened` alone. */
  readonly enumerationSafe: EnumerationSafeAccounts | null
  readonly emailChanges: EmailChanges
  /** With preset `hardened` alone. */
  readonly reauthentication: Reauthentication | null
  /** Verifies the code that switches the second factor on, with every preset. */
  readonly codeProof: Pick<Reauthentication, 'byCode'>
  readonly signIn: TicketSignIn
  readonly roles: RoleManager
  readonly sessions: CausedSessionManager
  readonly keys: Keys & { readonly manager: KeyManager; close(): void }
  readonly mail: ReturnType<typeof createMail>
  readonly throttle: Throttle
  readonly events: IdentityEmitter
  readonly hasher: QueuedHasher
  readonly denyList: DenyList
  readonly claimChanges: ClaimChanges
  readonly currentClaims: CurrentClaims
  /** Learns whose claims have changed. */
  readonly claimsChanged: (changes: readonly ClaimChange[]) => void
  readonly sessionEnds: SessionEnds
}

/**
 * Opens the key ring, and the managers over it.
 *
 * @param sender null: no mail is sent, and none is stored
 * @throws FST_IDENTITY_SECRET_WRONG, FST_IDENTITY_INVALID_OPTION for settings of the hasher
 */
export async function openAccounts(
  connection: Connection,
  options: AccountOptions,
  sender: ClosableSender | null,
  log: AccountLog,
): Promise<Accounts> {
  const { clock } = options
  const pollMilliseconds = options.revocation.pollSeconds * 1000
  const hasher = openHasher(options.hasher)
  const keys = await openKeys(
    connection,
    {
      secrets: options.secrets,
      ring: options.keys,
      appName: options.decorator,
      openForSeconds: options.openForSeconds,
      lookMilliseconds: Math.max(2_000, pollMilliseconds),
      onError: (error) => log.warn({ err: error }, 'the key ring, or a key of it, was not read; it is tried again'),
    },
    clock,
  )
  const denyList = createDenyList()
  const events: IdentityEmitter = new EventEmitter()
  const notifier = createNotifier(options.hooks, events, (error) =>
    log.error({ err: error }, 'a listener of app.identity.events failed'),
  )
  const sessionEnds = createSessionEnds({
    denyList,
    clock,
    longestUnvalidatedSeconds: longestUnvalidatedSeconds(options),
    absoluteSeconds: options.sessions.absoluteSeconds,
    isInDatabase: (sessionId) => isSessionLive(connection, sessionId),
    report: (sessionIds, cause) => notifier.emit('sessionsEnded', { sessionIds, cause }),
  })
  const claimChanges = createClaimChanges()
  // A minute more than needed, for clocks that differ.
  const claimsChanged = (changes: readonly ClaimChange[]) =>
    claimChanges.add(changes, clock() + (longestUnvalidatedSeconds(options) + 60) * 1000)
  const mail = createMail({ db: connection, vault: keys.vault, sender, links: options.links, pollMilliseconds, log })
  const notices = createNotices(options.notices, mail)
  const context: AccountContext = {
    db: connection,
    clock,
    hasher,
    passwordRules: options.password,
    passwordValidators: options.passwordValidators,
    userRules: options.user,
    describe: options.describe,
    sessions: sessionEnds,
    claimsChanged,
    keys,
    notifier,
    notices,
  }
  const throttle = createThrottle(connection, keys.vault, options.lockout)
  const tokenProviders: TokenProviders = new Map()
  const secondFactors = createSecondFactors(context, options.twoFactor, tokenProviders)
  const isHardened = options.preset === 'hardened'
  const proofs = createReauthentication(context, secondFactors, throttle)
  return {
    users: createUserManager(context, options, tokenProviders, throttle),
    enumerationSafe: isHardened
      ? createEnumerationSafeAccounts(context, mail, options.lockout.allowedForNewUsers)
      : null,
    emailChanges: createEmailChanges(context, mail, isHardened),
    reauthentication: isHardened ? proofs : null,
    codeProof: proofs,
    signIn: createSignInManager({
      db: connection,
      clock,
      hasher,
      keys,
      throttle,
      rules: options.signIn,
      hidesUnconfirmed: isHardened,
      absoluteSeconds: options.sessions.absoluteSeconds,
      sessionRules: { ...options.sessions, unusedSeconds: longestUnusedSeconds(options) },
      claims: options.claims,
      rotateRefreshTokens: options.bearer.rotateRefreshTokens,
      reuseGraceSeconds: options.bearer.reuseGraceSeconds,
      sessions: sessionEnds,
      secondFactors,
      notifier,
      notices,
      log,
    }),
    roles: createRoleManager(context),
    sessions: createSessionManager(connection, sessionEnds, options.idleSeconds),
    throttle,
    keys,
    mail,
    events,
    hasher,
    denyList,
    claimChanges,
    currentClaims: createCurrentClaims(connection, claimChanges, options.claims),
    claimsChanged,
    sessionEnds,
  }
}

/** The longest life of any token or code. */
export function longestTokenSeconds({ bearer, cookie, twoFactor, codes }: ResolvedOptions): number {
  return Math.max(
    bearer.accessTokenSeconds,
    bearer.refreshTokenSeconds,
    cookie.lifetimeSeconds,
    twoFactor.rememberMachineSeconds,
    codes.confirmEmailSeconds,
    codes.resetPasswordSeconds,
    twoFactorTicketSeconds,
  )
}

/**
 * How long a session can be used after the database saw it last: as long as its newest token or cookie. A cookie that slides is renewed
 * without the database only in the second half of its life, if it need not be validated until then.
 */
export function longestIdleSeconds({ bearer, cookies, cookie, securityStamp, sessions }: ResolvedOptions): number {
  const slides = cookie.slidingExpiration && securityStamp.validationSeconds > cookie.lifetimeSeconds / 2
  const cookieSeconds = cookie.lifetimeSeconds + (slides ? securityStamp.validationSeconds : 0)
  const longest = Math.max(bearer.accessTokenSeconds, bearer.refreshTokenSeconds, cookies ? cookieSeconds : 0)
  return Math.min(longest, longestUnusedSeconds({ sessions }) ?? Infinity)
}

/** How long ago the last use of a session may be that is written down; null without option `sessions.idleSeconds`. */
function longestUnusedSeconds({ sessions }: Pick<ResolvedOptions, 'sessions'>): number | null {
  return sessions.idleSeconds === null ? null : unusedSeconds(sessions.idleSeconds)
}

/** How long any ticket is accepted without a query. */
export function longestUnvalidatedSeconds({
  bearer,
  securityStamp,
}: Pick<ResolvedOptions, 'bearer' | 'securityStamp'>): number {
  return Math.max(bearer.accessTokenSeconds, securityStamp.validationSeconds)
}

/** Runs the opening of a database; closes it on failure, and throws an error with a remedy. */
export async function closingOnFailure<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  try {
    await requireUtf8(connection)
    return await work()
  } catch (error) {
    const reason = await explainStart(connection, error)
    await connection.close()
    throw reason
  }
}

function openHasher(option: ResolvedOptions['hasher']): QueuedHasher {
  return 'verify' in option ? queueHasher(option) : createHasher(option)
}
