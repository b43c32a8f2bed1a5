// Hooks run inside the transaction of a change, and an error in one undoes the change. Events are emitted after
// commit, and an error in a listener changes nothing.
import { type Static, Type } from '@sinclair/typebox'
import type { EventEmitter } from 'node:events'
import { callback, closed } from '../../option-schema.js'
import type { SessionEndCause } from '../../store/session-ends.js'
import type { Db, Trx } from '../../store/db.js'
import type { Transaction } from '../../store/transaction.js'
import type { SignInFailure, SignInMethod } from './sign-in-outcome.js'
import type { User } from './user.js'

/** The argument of a hook. */
export interface HookEvent {
  /** The user after the change; before it in `userDeleting`. A copy: changing it has no effect. */
  readonly user: User
  /** The open transaction, for rows of your own that commit or roll back together with ours. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the host's tables are the host's
  readonly trx: Transaction<any>
}

/** A function that is awaited inside the transaction of a change; one that throws rolls it back. */
export type Hook = (event: HookEvent) => void | Promise<void>

/** The argument of hook `signingIn`. */
export interface SigningIn {
  /** The user who is about to be signed in, as stored now. A copy: changing it has no effect. */
  readonly user: User
  /**
   * How the user has proved to be that user, see `SignInMethod`; `refresh` for a refresh token, and `validation` for a cookie whose user is read
   * again.
   */
  readonly method: string
  /** The User-Agent, or the client's name as a route of yours has passed it; null without one. */
  readonly client: string | null
  /** The network address, `request.ip`; null where a route of yours has passed none. */
  readonly address: string | null
}

/** Hook `signingIn`: a text refuses, and is the reason in the log; anything else lets the user in. */
export type SigningInHook = (attempt: SigningIn) => unknown

const hook = () => Type.Optional(callback<Hook>())

const changeHooks = Type.Object(
  {
    /** Before a new user is written. @default none */
    userCreating: hook(),
    /** After a new user is written. @default none */
    userCreated: hook(),
    /** After any other change of a user is written, see the event `userUpdated`. @default none */
    userUpdated: hook(),
    /** Before a user is deleted; `user` is the user as it is. @default none */
    userDeleting: hook(),
    /** After a password was set, changed or removed. @default none */
    passwordChanged: hook(),
    /** After a password was reset by a mailed code. @default none */
    passwordReset: hook(),
    /** After an e-mail address was confirmed. @default none */
    emailConfirmed: hook(),
    /** After an e-mail address was changed. @default none */
    emailChanged: hook(),
    /** After the second factor was switched on. @default none */
    twoFactorEnabled: hook(),
    /** After the second factor was switched off. @default none */
    twoFactorDisabled: hook(),
  },
  closed,
)

export const hookOptions = Type.Object(
  {
    ...changeHooks.properties,
    /**
     * Before a session is opened, after all factors were proved; before a refresh; and before a cookie's user is read again. It runs in no
     * transaction and gets `{ user, method, client, address }`. A text that it returns refuses with `NotAllowed`, or 401 for a refresh or a
     * cookie, and is logged as the reason; so does an error with a `statusCode` below 500. Any other error is a 500, and nobody is signed in.
     * A refused refresh leaves the session as it is; a refused cookie ends it.
     * @default none
     */
    signingIn: Type.Optional(callback<SigningInHook>()),
  },
  closed,
)

/**
 * Option `hooks`. A hook is awaited inside the transaction of the change, `signingIn` apart; one that throws rolls it back. An error with a `statusCode` below 500
 * reaches the client with its message, any other one as a 500.
 */
export interface Hooks extends Readonly<Static<typeof hookOptions>> {}

/** The name of a hook of a change. */
export type HookName = keyof Static<typeof changeHooks>

/** The names of all hooks of changes. */
export const hookNames = Object.keys(changeHooks.properties) as readonly HookName[] // Object.keys loses the names

/** The changes with an event of the hook's name. */
export type ChangeName = Exclude<HookName, 'userCreating' | 'userDeleting'>

/**
 * The events of `app.identity.events`, with what a listener gets. They are emitted after commit, on the instance where the change happened,
 * except for `sessionsEnded`.
 *
 * @example app.identity.events.on('signInFailed', ({ userId, reason }) => app.log.info({ userId, reason }, 'a sign-in failed'))
 */
export interface IdentityEvents extends Record<ChangeName, { readonly userId: string }> {
  /** A session was opened. `method` is one of the values of `SignInMethod`. */
  readonly signInSucceeded: { readonly userId: string; readonly sessionId: string; readonly method: SignInMethod }
  /** A sign-in was refused: `reason` is `Failed`, `LockedOut`, `NotAllowed` or `RequiresTwoFactor`. `userId` is null where there is no such user; the name that was typed is not included. */
  readonly signInFailed: { readonly userId: string | null; readonly reason: SignInFailure }
  /** A used refresh token came back after its grace period, and its session was ended. */
  readonly refreshTokenReused: { readonly userId: string; readonly sessionId: string }
  /**
   * Sessions have ended, on whatever instance: emitted on each running one, once for each session and within a second. One that ended while an
   * instance was not running is not reported there. `cause`: `signOut`, `revoked`, `passwordChanged`, `passwordReset`, `twoFactorChanged`,
   * `loginRemoved`, `passkeyRemoved`, `stampChanged`, `locked`, `deleted`, `reuse`, `tooMany` or `expired`, see `SessionEndCause`.
   */
  readonly sessionsEnded: { readonly sessionIds: readonly string[]; readonly cause: SessionEndCause }
  /** A user was created. */
  readonly userCreated: { readonly userId: string }
  /** Any other change of a user: name, phone number, role, claim, login, passkey, key of the authenticator app, lock, stamp, or `users.update`. */
  readonly userUpdated: { readonly userId: string }
  /** A user was deleted. */
  readonly userDeleted: { readonly userId: string }
  /** A password was set, changed or removed. */
  readonly passwordChanged: { readonly userId: string }
  /** A password was reset by a mailed code. */
  readonly passwordReset: { readonly userId: string }
  /** An address was confirmed. */
  readonly emailConfirmed: { readonly userId: string }
  /** An address was changed. */
  readonly emailChanged: { readonly userId: string }
  /** The second factor was switched on. */
  readonly twoFactorEnabled: { readonly userId: string }
  /** The second factor was switched off. */
  readonly twoFactorDisabled: { readonly userId: string }
}

/** `app.identity.events`. An error or rejection of a listener is logged and changes nothing. */
export type IdentityEmitter = EventEmitter<{ [Name in keyof IdentityEvents]: [event: IdentityEvents[Name]] }>

export interface Notifier {
  /** Calls a hook inside the transaction of its change. */
  hook(name: HookName, db: Db, user: User): Promise<void>
  /** Whether there is such a hook, so that a change without one needs no transaction. */
  has(name: HookName): boolean
  /** Asks hook `signingIn`. @returns the reason to refuse; null to go on */
  refusal: ((attempt: SigningIn) => Promise<string | null>) | null
  /** Calls the listeners, after commit. */
  emit<Name extends keyof IdentityEvents>(name: Name, event: IdentityEvents[Name]): void
}

export function createNotifier(hooks: Hooks, events: IdentityEmitter, onError: (error: unknown) => void): Notifier {
  const { signingIn } = hooks
  return {
    refusal:
      signingIn === undefined
        ? null
        : async (attempt) => refusalOf(signingIn, { ...attempt, user: { ...attempt.user } }),
    has: (name) => hooks[name] !== undefined,
    async hook(name, db, user) {
      const { kysely } = db as Trx // asked for inside a transaction only
      await hooks[name]?.({ user: { ...user }, trx: kysely.withoutPlugins() })
    },
    emit(name, event) {
      // A listener is not part of the change: its errors and rejections go to the log only.
      for (const listener of events.rawListeners(name)) {
        try {
          const answer: unknown = Reflect.apply(listener, events, [event])
          if (answer instanceof Promise) answer.catch(onError)
        } catch (error) {
          onError(error)
        }
      }
    },
  }
}

async function refusalOf(signingIn: SigningInHook, attempt: SigningIn): Promise<string | null> {
  try {
    const reason: unknown = await signingIn(attempt) // a JavaScript host returns anything
    if (reason === undefined || reason === null || reason === true) return null
    return typeof reason === 'string' && reason !== '' ? reason : 'no reason given'
  } catch (error) {
    if (!(error instanceof Error) || !('statusCode' in error) || Number(error.statusCode) >= 500) throw error
    return error.message
  }
}
