// Registration that does not reveal who has an account (preset 'hardened'; ASVS 5.0 6.3.8).
// Taken and free addresses cost the same statements and the same hash, and only the owner of a taken one learns about
// it, by mail. A user name that is chosen apart from the address cannot be hidden: a taken one is refused, as in the
// reference.
import { failed, type IdentityResult, success } from '../../errors.js'
import type { Db } from '../../store/db.js'
import type { OutboxRecord } from '../../store/outbox.js'
import { inTransaction } from '../../store/transaction.js'
import { findOwners, insertUser } from '../../store/users.js'
import { type AccountContext, ChangeRefused, uniqueEmailOf } from './change-user.js'
import type { MailWriter } from '../mail/outbox.js'
import { prepareUser } from './new-user.js'
import type { NewUser, User } from './user.js'

export interface EnumerationSafeAccounts {
  /**
   * Creates a user, or mails the owner of the address or name and creates nothing; both succeed.
   *
   * @param confirm the mail to a new user, written with the user
   * @returns the faults of the user or the password; DuplicateUserName when the name is not the address
   */
  register(given: NewUser, password: string, confirm?: (user: User) => OutboxRecord): Promise<IdentityResult>
}

type Confirm = ((user: User) => OutboxRecord) | undefined

export function createEnumerationSafeAccounts(
  context: AccountContext,
  mail: MailWriter,
  lockoutForNewUsers: boolean,
): EnumerationSafeAccounts {
  const { db, describe, notifier } = context

  // An address that was taken before addresses had to be unique is not in the index, so that owners are always read.
  const ownersOf = (place: Db, user: User) => findOwners(place, user, uniqueEmailOf(context, user))

  /** Two statements, whether the address is free or taken. @returns the owners; null when the user was created */
  async function createAlone(user: User, confirm: Confirm): Promise<readonly User[] | null> {
    const owners = await ownersOf(db, user)
    if (owners.length > 0) return owners
    if (await insertUser(db, user, uniqueEmailOf(context, user), confirm?.(user))) return null
    // Another request took the address after it was read.
    return ownersOf(db, user)
  }

  /** With the host's hooks. @returns the owners; null when the user was created */
  async function createWithHooks(user: User, confirm: Confirm): Promise<readonly User[] | null> {
    let owners: readonly User[] = []
    const isCreated = await unlessTaken(
      inTransaction(db, async (trx) => {
        await notifier.hook('userCreating', trx, user)
        const isWritten = await insertUser(trx, user, uniqueEmailOf(context, user), confirm?.(user))
        owners = await ownersOf(trx, user)
        // Undoes the rows of hooks too.
        if (!isWritten || owners.length > 0) throw new ChangeRefused([])
        await notifier.hook('userCreated', trx, user)
      }),
    )
    return isCreated ? null : owners
  }

  async function notifyOwner(owner: User | null): Promise<void> {
    if (owner === null || owner.email === null) await mail.nothing(db)
    else await mail.securityNotice(db, owner, 'accountExists')
  }

  return {
    async register(given, password, confirm) {
      const prepared = await prepareUser(context, given, password, lockoutForNewUsers)
      if (!prepared.succeeded) return prepared
      const { user } = prepared
      const isAlone = !notifier.has('userCreating') && !notifier.has('userCreated')
      const owners = await (isAlone ? createAlone(user, confirm) : createWithHooks(user, confirm))
      if (owners === null) {
        mail.written()
        notifier.emit('userCreated', { userId: user.id })
        return success
      }
      const isNameTaken = owners.some(({ normalizedUserName }) => normalizedUserName === user.normalizedUserName)
      if (isNameTaken && user.normalizedUserName !== user.normalizedEmail) {
        return failed(describe, [{ code: 'DuplicateUserName', args: [user.userName] }])
      }
      await notifyOwner(ownerOf(user, owners))
      mail.written()
      return success
    },
  }
}

/** The owner of a user's address, otherwise the owner of the name. */
export function ownerOf(user: User, owners: readonly User[]): User | null {
  return (
    owners.find(({ normalizedEmail }) => normalizedEmail !== null && normalizedEmail === user.normalizedEmail) ??
    owners[0] ??
    null
  )
}

async function unlessTaken(work: Promise<void>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (error instanceof ChangeRefused) return false
    throw error
  }
}
