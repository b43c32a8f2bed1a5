// The parts that the managers of users share: their dependencies, their checks, and the writing of a user's row.
import type { Clock } from '../../clock.js'
import {
  type ErrorDescriber,
  failed,
  type Failure,
  type IdentityError,
  type IdentityResult,
  success,
} from '../../errors.js'
import type { QueuedHasher } from '../../passwords/hasher.js'
import { checkPassword, type PasswordRules } from '../../passwords/policy.js'
import type { Reservation } from '../../store/attempts.js'
import type { ClaimChange } from '../../store/claim-changes.js'
import {
  type Aftermath,
  changeUserAlone,
  endOutdated,
  type SessionEndCause,
  type Settled,
  settleSessions,
} from '../../store/session-ends.js'
import type { Db, Trx } from '../../store/db.js'
import { isBeyondAscii } from '../../store/name-keys.js'
import { inTransaction } from '../../store/transaction.js'
import { violatedConstraint } from '../../store/sql-errors.js'
import { isLockedByHand, findTaken, updateUser, type UserRecord } from '../../store/users.js'
import type { SecurityNotice } from '../../email/messages.js'
import type { SealingKey } from '../../tokens/seal.js'
import { newConcurrencyStamp, newStamp } from '../../tokens/stamp.js'
import type { ChangeName, Notifier } from './hooks.js'
import { normalizeName } from './names.js'
import type { Notices } from '../mail/notices.js'
import { isUuid } from '../../ids.js'
import type { SessionEnder } from '../sessions/session-ends.js'
import { checkAddress, checkUser, type PasswordValidator, type UserRules } from './user-validator.js'

export interface AccountContext {
  readonly db: Db
  readonly clock: Clock
  readonly hasher: QueuedHasher
  readonly passwordRules: PasswordRules
  readonly passwordValidators: readonly PasswordValidator[]
  readonly userRules: UserRules
  readonly describe: ErrorDescriber
  readonly sessions: SessionEnder
  /** Learns on this instance, after commit, whose claims have changed; the others learn it from the feed. */
  readonly claimsChanged: (changes: readonly ClaimChange[]) => void
  readonly keys: AccountKeys
  readonly notifier: Notifier
  readonly notices: Notices
}

/** The keys that seal codes and stored data. */
export interface AccountKeys {
  sealing(): SealingKey
  find(id: number): SealingKey | null
  vault(): SealingKey
}

export interface ChangeOptions {
  /** Ends the codes of mails and remembered machines that were issued before; no session. */
  readonly rotateStamp?: boolean
  /** Ends the sessions of the user, but for `keep`. */
  readonly ends?: { readonly cause: SessionEndCause; readonly keep?: string | undefined }
  /** The reservation under which the change was proved: given back with it. */
  readonly release?: Reservation | null
  /** The hook and the event of the change. Default: `userUpdated`. */
  readonly event?: ChangeName
  /** The mail to the user, at the address from before the change. */
  readonly notice?: SecurityNotice | undefined
  /**
   * What else belongs to the change, in the same transaction; throws `ChangeRefused` where it must not be, and answers false where there was
   * nothing to take away, so that no session ends.
   */
  readonly also?: (trx: Trx, next: UserRecord) => Promise<unknown>
}

/** Rolls a transaction back with expected failures. */
export class ChangeRefused extends Error {
  constructor(readonly failures: readonly Failure[]) {
    super('refused')
  }
}

/**
 * Writes changed members of a user unless the row was changed since it was read, and updates the object. The user is
 * validated as a whole, as in the reference. A user whom `lockoutEnd` locks out gets another stamp and loses every
 * session.
 */
export async function changeUser(
  context: AccountContext,
  user: UserRecord,
  changes: Partial<UserRecord>,
  options: ChangeOptions = {},
): Promise<IdentityResult> {
  const { db, describe, sessions } = context
  const changed = { ...user, ...changes }
  const isLocked = isLockedByHand(changed, context.clock())
  const ends = isLocked ? ({ cause: 'locked' } as const) : (options.ends ?? null)
  const next = {
    ...changed,
    ...normalized(changed),
    concurrencyStamp: newConcurrencyStamp(),
    securityStamp: isLocked || options.rotateStamp === true ? newStamp() : user.securityStamp,
  }
  const errors = await userErrors(context, next, user)
  if (errors.length > 0) return { succeeded: false, errors }
  if (!isUuid(user.id) || !isUuid(user.concurrencyStamp)) return failed(describe, [{ code: 'ConcurrencyFailure' }])
  const event = options.event ?? 'userUpdated'
  const stamp = user.securityStamp === next.securityStamp ? null : { from: user.securityStamp, to: next.securityStamp }
  const aftermath: Aftermath = { userId: user.id, ends, stamp, release: options.release }
  let outcome: Settled & { readonly isMailed: boolean }
  try {
    outcome = isAlone(context, user, next, event, aftermath, options)
      ? { ...(await writeAlone(context, next, user.concurrencyStamp, aftermath)), isMailed: false }
      : await inTransaction(db, async (trx) => {
          const taken = await newlyTaken({ ...context, db: trx }, user, next)
          if (taken.length > 0) throw new ChangeRefused(taken)
          if (!(await updateUser(trx, next, user.concurrencyStamp, storedUniqueEmail(context, next))))
            throw new ChangeRefused([{ code: 'ConcurrencyFailure' }])
          const takesNothing = (await options.also?.(trx, next)) === false && !isLocked
          await context.notifier.hook(event, trx, next)
          const isMailed = options.notice !== undefined && (await context.notices.write(trx, options.notice, user))
          return { ...(await settleSessions(trx, takesNothing ? { ...aftermath, ends: null } : aftermath)), isMailed }
        })
  } catch (error) {
    if (error instanceof ChangeRefused) return failed(describe, error.failures)
    // A hook's own rows have indexes too.
    if (!userIndexes.has(violatedConstraint(error) ?? '')) throw error
    const duplicates = await duplicatesOf(context, next)
    const keepsEmail = next.normalizedEmail === user.normalizedEmail
    return failed(
      describe,
      duplicates.filter(({ code }) => code !== 'DuplicateEmail' || !keepsEmail),
    )
  }
  if (ends !== null) sessions.ended(outcome.ended, ends.cause)
  context.claimsChanged(outcome.changes)
  if (outcome.isMailed) context.notices.written()
  Object.assign(user, next)
  context.notifier.emit(event, { userId: user.id })
  return success
}

/** Whether a change is one statement: nothing else belongs to it, and what it may miss must end, not stay. */
function isAlone(
  context: AccountContext,
  user: UserRecord,
  next: UserRecord,
  event: ChangeName,
  { ends, stamp }: Aftermath,
  { also, notice }: ChangeOptions,
): boolean {
  return (
    also === undefined &&
    (ends !== null || stamp === null) &&
    !context.db.kysely.isTransaction &&
    !context.notifier.has(event) &&
    (notice === undefined || !context.notices.isMailed(notice, user)) &&
    !isNewAddress(context, user, next) &&
    !isNewName(user, next)
  )
}

async function writeAlone(
  context: AccountContext,
  next: UserRecord,
  concurrencyStamp: string,
  aftermath: Aftermath,
): Promise<Settled> {
  const { db } = context
  const settled = await changeUserAlone(db, next, concurrencyStamp, storedUniqueEmail(context, next), aftermath)
  if (settled === null) throw new ChangeRefused([{ code: 'ConcurrencyFailure' }])
  const { ends, stamp } = aftermath
  if (ends === null || stamp === null) return settled
  // What was being opened at the same moment, under the stamp of before.
  const outdated = await endOutdated(db, next.id, ends.cause)
  return { ...settled, ended: [...settled.ended, ...outdated] }
}

/** The new names of a user that another one has, and that the indexes may miss. */
async function newlyTaken(context: AccountContext, user: UserRecord, next: UserRecord): Promise<readonly Failure[]> {
  const hasNewAddress = isNewAddress(context, user, next)
  if (!hasNewAddress && !isNewName(user, next)) return []
  const keepsName = next.normalizedUserName === user.normalizedUserName
  const taken = await takenOf(context, next)
  return taken.filter(({ code }) => (code === 'DuplicateEmail' ? hasNewAddress : !keepsName))
}

/** An address that was taken before addresses had to be unique is not in the index. */
function isNewAddress(context: AccountContext, user: UserRecord, next: UserRecord): boolean {
  return uniqueEmailOf(context, next) !== null && next.normalizedEmail !== user.normalizedEmail
}

/** A name that somebody had as a second before letters beyond ASCII were folded is not in the index under its rank. */
function isNewName(user: UserRecord, next: UserRecord): boolean {
  return isBeyondAscii(next.normalizedUserName) && next.normalizedUserName !== user.normalizedUserName
}

function storedUniqueEmail(context: AccountContext, next: UserRecord): string | null | undefined {
  return context.userRules.requireUniqueEmail === 'as stored' ? undefined : uniqueEmailOf(context, next)
}

const userIndexes: ReadonlySet<string> = new Set([
  'users_normalized_user_name',
  'users_folded_user_name',
  'users_unique_email',
  'users_unique_folded_email',
])

/** The names of a user that are taken; an index has refused one. */
export async function duplicatesOf(context: AccountContext, user: UserRecord): Promise<readonly Failure[]> {
  const found = await takenOf(context, user)
  // The owner of the name was deleted meanwhile.
  return found.length > 0 ? found : [{ code: 'DuplicateUserName', args: [user.userName] }]
}

/** The names of a user that another one has. */
export async function takenOf(context: AccountContext, user: UserRecord): Promise<readonly Failure[]> {
  const taken = await findTaken(context.db, user.normalizedUserName, uniqueEmailOf(context, user), user.id)
  return [
    ...(taken.name ? [{ code: 'DuplicateUserName', args: [user.userName] } as const] : []),
    ...(taken.email ? [{ code: 'DuplicateEmail', args: [user.email ?? ''] } as const] : []),
  ]
}

/** The value of the unique index of addresses for this user: null unless option user.requireUniqueEmail is set. */
export function uniqueEmailOf({ userRules }: AccountContext, user: UserRecord): string | null {
  return userRules.requireUniqueEmail === true ? user.normalizedEmail : null
}

export function normalized(
  user: Pick<UserRecord, 'userName' | 'email'>,
): Pick<UserRecord, 'normalizedUserName' | 'normalizedEmail'> {
  return {
    // A name that cannot be normalised is refused by checkUser before anything is written.
    normalizedUserName: normalizeName(user.userName) ?? '',
    normalizedEmail: user.email === null ? null : normalizeName(user.email),
  }
}

/** The faults of a user, with messages; the host's own rules run when ours find none. */
export async function userErrors(
  context: AccountContext,
  user: UserRecord,
  before?: UserRecord,
): Promise<readonly IdentityError[]> {
  const failures = checkUser(context.userRules, user)
  const errors = describeAll(
    context.describe,
    failures.length === 0 && user.email !== before?.email ? checkAddress(user) : failures,
  )
  if (errors.length > 0) return errors
  for (const validator of context.userRules.validators) errors.push(...(await validator(user)))
  return errors
}

/** The faults of a password for this user, with messages; empty when it may be used. */
export async function passwordErrors(
  context: AccountContext,
  password: string,
  user: UserRecord,
): Promise<readonly IdentityError[]> {
  const errors = describeAll(context.describe, checkPassword(context.passwordRules, password))
  // Too long is reported alone, before any rule of the host's reads it.
  if (errors.some(({ code }) => code === 'PasswordTooLong')) return errors
  for (const validator of context.passwordValidators) errors.push(...(await validator(password, user)))
  return errors
}

export function describeAll(describe: ErrorDescriber, failures: readonly Failure[]): IdentityError[] {
  return failures.map(({ code, args = [] }) => ({ code, description: describe(code, args) }))
}
