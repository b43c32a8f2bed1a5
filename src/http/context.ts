// What every door shares: one registered realm with its options, its managers and the tickets it can open.
import type { TObject } from '@sinclair/typebox'
import type { SerializeOptions } from '@fastify/cookie'
import type { EventEmitter } from 'node:events'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { EnumerationSafeAccounts } from '../accounts/users/enumeration-safe.js'
import type { Keys } from '../accounts/keys/key-manager.js'
import type { MailWriter } from '../accounts/mail/outbox.js'
import type { Principal } from './principal.js'
import type { Reauthentication } from '../accounts/sign-in/reauthentication.js'
import type { SessionManager } from '../accounts/sessions/session-manager.js'
import type { SignedIn, TicketSignIn } from '../accounts/sign-in/sign-in-manager.js'
import type { User } from '../accounts/users/user.js'
import type { Registration, UserManager } from '../accounts/managers/user-manager.js'
import type { Feed } from '../revocation/feed.js'
import type { DenyList } from '../revocation/deny-list.js'
import type { Db } from '../store/transaction.js'
import type { Claim } from '../store/users.js'
import type { Ticket, TicketPurpose } from '../tokens/ticket.js'
import type { ErrorDescriber } from '../errors.js'
import type { Clock } from '../clock.js'

/** The options that doors read, in the words of the public surface. */
export interface RealmOptions {
  readonly publicUrl: URL | null
  /** The host's own page for mailed links, or null. */
  readonly links: { readonly confirmEmail: string | null }
  readonly cookies: boolean
  readonly bearer: {
    readonly accessTokenSeconds: number
    readonly refreshTokenSeconds: number
    readonly readToken: ((request: FastifyRequest) => string | null | undefined) | null
  }
  readonly cookie: {
    readonly name: string | null
    readonly lifetimeSeconds: number
    readonly slidingExpiration: boolean
    readonly sameSite: 'lax' | 'strict' | 'none'
    readonly secure: boolean | 'auto'
    readonly domain: string | null
    readonly path: string
  }
  readonly authorization: {
    readonly policies: Readonly<
      Record<string, (principal: Principal, request: FastifyRequest) => boolean | Promise<boolean>>
    >
    readonly explicit: boolean
  }
  readonly user: { readonly userNameIsEmail: boolean }
  /** Fields of the host's own, or null. */
  readonly profile: TObject | null
  /** Claims of the host's own for every ticket. */
  readonly claims: (user: User) => readonly Claim[]
  readonly twoFactor: { readonly rememberMachineSeconds: number }
  readonly jsonNaming: 'camelCase' | 'snake_case'
  readonly securityStamp: { readonly validationSeconds: number }
  readonly csrf: { readonly trustedOrigins: ReadonlySet<string> } | null
  readonly decorator: string
}

export interface Realm {
  readonly options: RealmOptions
  readonly clock: Clock
  readonly describe: ErrorDescriber
  readonly users: UserManager & Registration
  /** Registers and moves addresses without telling who has an account; null where the answer is the reference's. */
  readonly enumerationSafe: EnumerationSafeAccounts | null
  /** Proves who is calling once more, before what is sensitive is changed; null where the reference asks for nothing. */
  readonly reauthentication: Reauthentication | null
  readonly signIn: TicketSignIn
  readonly sessions: SessionManager
  readonly mail: MailWriter
  readonly keys: Keys
  readonly opened: TicketCache
  /** Validations under way, by session and stamp. */
  readonly validating: Map<string, Promise<SignedIn | null>>
  readonly denyList: DenyList
  readonly feed: Feed
  readonly events: EventEmitter
  /** Writes mail that belongs to no other change, and has it delivered. */
  mailLater(write: (db: Db, mail: MailWriter) => Promise<void>): Promise<void>
  /** Whether a session still exists: asked while the feed is stale. */
  isSessionLive(sessionId: string): Promise<boolean>
  /** Whether more passwords wait than may. */
  isHasherBusy(): boolean
  /** @fastify/cookie's serializer. */
  serializeCookie(name: string, value: string, options: SerializeOptions): string
  /** The prefixes under which the routes of this realm were mounted. */
  readonly mounted: Set<string>
  /** The slot on a request that holds who is calling. */
  readonly slot: symbol
}

/** A ticket that was opened, with its principal once somebody asked for it. */
export interface Opened {
  readonly ticket: Ticket
  principal: Principal | null
}

/** Tickets opened lately, forgotten when the ring changes. */
export interface TicketCache {
  get(ringVersion: number, purpose: TicketPurpose, token: string): Opened | undefined
  /** Keeps what comes a second time. */
  set(purpose: TicketPurpose, token: string, opened: Opened): void
}

/** Under which symbol an instance knows the realm of a decorator's name; the same for every copy of this package. */
export function realmKey(decorator: string): symbol {
  return Symbol.for(`fastify-identity.realm.${decorator}`)
}

/** The realm of this scope, or null where the plugin is not registered. */
export function findRealm(instance: FastifyInstance, decorator: string): Realm | null {
  return realmFinder(decorator)(instance)
}

/** The same for who asks with each request. */
export function realmFinder(decorator: string): (instance: FastifyInstance) => Realm | null {
  const key = realmKey(decorator)
  // A decorator under a symbol has no place in Fastify's types.
  return (instance) => (instance as unknown as Record<symbol, Realm | undefined>)[key] ?? null
}

/** A request's slot: undefined while nobody has asked. */
export type Slotted = Record<symbol, Principal | null | undefined>

/** The caller of a route behind a guard. */
export function callerOf(realm: Realm, request: FastifyRequest): Principal {
  const principal = (request as unknown as Slotted)[realm.slot] // the slot's symbol has no place in Fastify's types
  if (principal === undefined || principal === null) throw new Error('A route without a guard asked for its caller')
  return principal
}
