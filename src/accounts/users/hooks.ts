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

const hook = () => Type.Optional(callback<Hook>())

export const hookOptions = Type.Object(
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

/**
 * Option `hooks`. A hook is awaited inside the transaction of the change; one that throws rolls it back. An error with a `statusCode` below 500
 * reaches the client with its message, any other one as a 500.
 */
export interface Hooks extends Readonly<Static<typeof hookOptions>> {}

/** The name of a hook. */
export type HookName = keyof Hooks

/** The names of all hooks. */
export const hookNames = Object.keys(hookOptions.properties) as readonly HookName[] // Object.keys loses the names

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
  /** Calls the listeners, after commit. */
  emit<Name extends keyof IdentityEvents>(name: Name, event: IdentityEvents[Name]): void
}

export function createNotifier(hooks: Hooks, events: IdentityEmitter, onError: (error: unknown) => void): Notifier {
  return {
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
